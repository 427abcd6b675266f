"""How a machine of each brand is run (SmartOS's word): a zone here."""

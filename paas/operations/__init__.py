"""What can be done with an app, whoever asks: one file a noun."""

"""The operator's commands on this host: vmadm, imgadm."""

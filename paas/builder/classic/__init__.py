"""Other people's buildpacks at work in the build zone, where nothing that they do is trusted."""

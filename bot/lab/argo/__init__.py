"""The parts of the simulated Argo CD: applications, manifests read from Git, the reconcilers, the REST API."""

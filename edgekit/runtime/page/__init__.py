"""The service's page: what a person sees of it in a browser, through a tunnel to the device's loopback."""

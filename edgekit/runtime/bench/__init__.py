"""The verb `bench`: one engine measured on its device, by one of several scenarios."""

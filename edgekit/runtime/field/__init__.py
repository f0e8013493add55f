"""Hard frames that a service keeps: what to keep (collector), keeping it (keeper, store), telling of it (kept)."""

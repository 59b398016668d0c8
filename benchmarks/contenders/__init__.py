"""What other platforms run in `benchmarks.peers`, each in an environment of its own: our process never imports these modules."""

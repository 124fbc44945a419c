"""What ``scripts/bench`` runs: corpora, a fast S3-speaking store, the runners and the report."""

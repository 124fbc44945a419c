"""What ``scripts/soak`` runs."""

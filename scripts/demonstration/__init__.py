"""What ``scripts/demo`` runs once its environment is there."""

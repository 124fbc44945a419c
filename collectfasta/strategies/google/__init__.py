"""How Google Cloud Storage is listed, and what its errors mean."""

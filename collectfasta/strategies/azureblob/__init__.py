"""How Azure Blob Storage is listed, and what its errors mean."""

"""How files get to S3, and to whatever speaks like it: one module a concern, one a transport."""

"""Small processes beside a sandbox, outside of it: each does one job for what runs inside."""

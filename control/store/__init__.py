"""Everything that control keeps, and the only SQL. Functions take a SQLAlchemy Core connection and know no gRPC."""

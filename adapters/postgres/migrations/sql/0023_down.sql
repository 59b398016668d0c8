DROP TABLE secret_references;

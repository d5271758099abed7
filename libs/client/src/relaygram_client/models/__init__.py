"""What answers look like. Fields that a newer server adds are kept and cause no error."""

"""What tests of every part share: real servers, databases, waiting."""

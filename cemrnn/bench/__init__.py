"""Speed, measured against named peers on identical work; never part of the tests."""

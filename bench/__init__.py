"""Measurements that take minutes and are not tests."""

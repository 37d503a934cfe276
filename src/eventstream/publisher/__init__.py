"""Bulk publishing from files, pipes and generators."""

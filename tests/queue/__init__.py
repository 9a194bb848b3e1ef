# ruff: noqa: A005 - named for the package that it tests

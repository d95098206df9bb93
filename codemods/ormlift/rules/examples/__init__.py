"""The examples of the codemods, as data: tests run them, `explain` shows them. One file for each codemod."""

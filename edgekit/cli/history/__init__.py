"""The options of `history`, and exchange with files of other tools."""

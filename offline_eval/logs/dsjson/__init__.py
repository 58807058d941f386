"""dsjson: the log format of Vowpal Wabbit and of Azure Personalizer, one JSON object per line."""

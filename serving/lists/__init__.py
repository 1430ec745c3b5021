"""From stored lists to what one caller is shown. Pure."""

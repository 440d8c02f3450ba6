"""The loop that receives, holds, hands over and settles."""

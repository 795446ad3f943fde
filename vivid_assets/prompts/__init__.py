"""Prompts for the background: the user's words first, then words by rule, each with its reason."""

from vivid_assets.prompts.enhance import AddedWords, EnhancedPrompt, enhance

__all__ = ["AddedWords", "EnhancedPrompt", "enhance"]

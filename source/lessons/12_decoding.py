# %% [markdown]
# # 12 Decoding
#
# **Why is the likeliest text not the best text?**
#
# A language model does not write. It says, for a text so far, how probable each next token is, and somebody has to choose.
# The choice looks like a detail. In this lesson it decides between a right date and an empty page, and between a page of
# prose and the same line a hundred times.
#
# About 55 minutes.
#
# Previous: 11 Encoder and decoder. Next: 13 Training.

"""A formal model of the OpenAI Realtime event protocol: a labelled transition system as data.

Pure data and functions: no input or output, no clock, no client library.
"""

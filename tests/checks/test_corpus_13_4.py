"""Exercise 13-4: every answer of its corpus."""

from .corpus_tests import CorpusTests


class TestCorpus(CorpusTests):
    number = "13-4"

"""From observations to diagnoses: a pure engine, and the Faust app that runs it."""

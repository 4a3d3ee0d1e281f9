"""Telling subscribers what happened (docs/decisions/events-out.md): `teller` is the loop of every worker,
`listening` what the hot paths know of who listens, `call` one request, `words` its body, `aftermath` what
follows from the answers, `forget` what is kept no longer."""

"""What can be done with an app, whoever asks: one file a noun.

Each method is one change, done or failed (with a UserError) when it returns. Changes of one app
wait for one another; one that has begun goes on when its caller has gone. `user` is the e-mail of
the account that asks.
"""

raise RuntimeError("the app is broken")

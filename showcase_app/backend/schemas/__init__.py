"""What the API takes and answers: the contract with its clients. One file for each subject."""

//! How transcripts look where no case shows it.

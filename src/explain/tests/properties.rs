//! What holds for every plan, whatever the application answers.

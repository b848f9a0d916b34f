The record of what was asked, by name.

-- write_question --
INSERT INTO cellwitness_people.questions (who, profile, legal_basis, what, parameters, as_of_slot, known_at, finality,
                                          outcome, reason, step, slot, block, rows, format)
VALUES (%(who)s, %(profile)s, %(legal_basis)s, %(what)s, %(parameters)s, %(as_of_slot)s, %(known_at)s, %(finality)s,
        %(outcome)s, %(reason)s, %(step)s, %(slot)s, %(block)s, %(rows)s, %(format)s);

-- list_questions --
SELECT at, role, who, profile, legal_basis, what, parameters, as_of_slot, known_at, finality, outcome, reason, step, slot,
       block, rows, format
  FROM cellwitness_people.questions
 WHERE %(who)s::text IS NULL OR who = %(who)s
 ORDER BY question_number DESC LIMIT %(limit)s;

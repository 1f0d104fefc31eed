/**
 * Tables of chat.db. Everything that a person wrote or got is sealed under the vault: title, level, pin and times of a conversation (`head`),
 * and of a turn the question, the answer, and `facts` (status, level, model, times, speed, usage, cost, error,
 * and the receipt).
 *
 * What stays plain: random ids, which turn belongs to which conversation and in which order, and whether a turn was being answered.
 * So a thief of the file learns how many chats and turns there are and about how long they are, and no more. The plain columns are part of each
 * seal's context: a row cannot be moved to another chat, place or column. Putting back an older copy of a row or file is not noticed.
 */
export const chatMigrations: readonly string[] = [
  `CREATE TABLE conversation (
    id TEXT PRIMARY KEY,
    head BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE turn (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    running INTEGER NOT NULL,
    question BLOB NOT NULL,
    answer BLOB NOT NULL,
    facts BLOB NOT NULL,
    UNIQUE (conversation_id, position)
  ) STRICT;
  CREATE INDEX turn_running ON turn (running) WHERE running = 1;`,
]

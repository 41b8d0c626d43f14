/* THE RAFT CORE: cowsql raft 0.22.1 by `raft_step()`, behind the functions that we need of it.
 *
 * Events go in, with the time; what must be stored, what must be sent and how far the log is committed comes out. It
 * touches no disk, no socket and no clock. A C file, since the library's header is no C++; and a seam, so that the core
 * can be replaced. What the library does not check itself, or gets wrong, is checked and mended here or in raft.cpp.
 *
 * One core belongs to one thread at a time. Times are milliseconds of one steady clock. Functions that return an int
 * return 0 or a `raft_core_failure`. Pointers in an update are valid until the next call with the same core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Defects of the library's that are mended here or in raft.cpp, and duties that it leaves to us. A build for
 * tests/raft_defects/ can do without one of them, to show that the simulation finds out; no other build
 * contains the choice. */
enum raft_core_defect {
  raft_core_whole,
  raft_core_change_amid_entries,  /* A change of members behind other entries of one message. */
  raft_core_early_messages,       /* Said before the term and the vote behind it are stored. */
  raft_core_same_term_again,      /* A sole voter leads in the term that it had. */
  raft_core_leader_kept,          /* Who does not stand itself refuses all others its vote. */
  raft_core_promoted_is_stranger, /* Who has not heard of its promotion refuses its vote. */
  raft_core_entries_before_log,   /* Entries that begin before the compacted log does. */
  raft_core_newer_snapshot,       /* One that is newer than the one announced. */
  raft_core_old_term_answered,    /* What is said in an old term is answered with whatever stood in memory. */
  raft_core_no_first_entry,       /* A new leader waits for no entry of its own term before it serves. */
  raft_core_stale_stored_index,   /* What was stored counts as stored when it has been replaced since. */
  raft_core_applied_ahead,        /* The state may be ahead of the log, after a crash: it is taken to end with it. */
  raft_core_endless_install       /* Nobody ends the wait for a state whose source is gone. */
};
#ifdef TROUPE_RAFT_DEFECTS
extern enum raft_core_defect raft_core_planted;
#define RAFT_CORE_MENDS(defect) (raft_core_planted != (defect))
#else
#define RAFT_CORE_MENDS(defect) 1
#endif

struct raft_core;

enum raft_core_failure {
  raft_core_not_leader = 1, /* Or it is handing its leadership over. */
  raft_core_busy,           /* A change of members is under way, or this leader's first entry is not committed yet. */
  raft_core_misuse,         /* An argument that the library would have taken, to its ruin. Nothing was changed. */
  raft_core_fatal           /* Out of memory, or a conflict with what is committed: this core must not go on. */
};

enum raft_core_state { raft_core_follower = 1, raft_core_candidate, raft_core_leader };
enum raft_core_role { raft_core_standby, raft_core_voter, raft_core_spare };
enum raft_core_kind { raft_core_command = 1, raft_core_barrier, raft_core_change };

/* Of a change, the bytes are `raft_core_encode_members`. */
struct raft_core_entry {
  uint64_t term;
  int kind;
  const char* bytes;
  size_t size;
};

struct raft_core_member {
  uint64_t id; /* Not 0. */
  int role;
};

/* What a snapshot covers. `members` are those committed at `members_index`. */
struct raft_core_snapshot {
  uint64_t index, term, members_index;
  const struct raft_core_member* members;
  unsigned n_members;
};

enum raft_core_message_type {
  raft_core_append = 1,
  raft_core_append_result,
  raft_core_vote,
  raft_core_vote_result,
  raft_core_install,
  raft_core_timeout_now
};

struct raft_core_message {
  int type;
  uint64_t peer; /* Who sent it, or whom it is for. */
  uint64_t term;
  uint64_t index;      /* append: of the entry before; results: the last; votes: the last of the log. */
  uint64_t index_term; /* append, votes: the term of that. */
  uint64_t commit;     /* append */
  uint64_t rejected;   /* append_result: the index that did not fit, or 0. */
  bool pre_vote, granted, disrupts_leader;
  /* append: received with its entries; to be sent, only their number: they follow `index` in the sender's own log. */
  const struct raft_core_entry* entries;
  unsigned n_entries;
  /* install: to be sent, without its members: whoever sends it says what it has by then. */
  struct raft_core_snapshot snapshot;
};

/* What a step leads to. First term and vote, the entries and the snapshot must be stored, then messages may go. */
struct raft_core_update {
  bool hard_state; /* Term or vote changed. */
  bool state;      /* Leader, candidate or follower now. */
  bool commit;     /* The commit index grew. */
  /* To be stored: these, from `first_index`; what the log had from there on is void. */
  uint64_t first_index;
  const struct raft_core_entry* entries;
  unsigned n_entries;
  bool install; /* All that the log had is void; this snapshot replaces it. */
  struct raft_core_snapshot snapshot;
  const struct raft_core_message* messages;
  unsigned n_messages;
};

struct raft_core_facts {
  uint64_t term, voted_for;
  uint64_t commit_index, last_index, last_stored;
  uint64_t leader;     /* 0: unknown. */
  uint64_t transferee; /* 0: none. */
  uint64_t changing;   /* Index of a change of members that is not known to be committed; 0: none. */
  uint64_t deadline;   /* When `raft_core_tick` has something to do. */
  int state;
  int role; /* -1: no member. */
  bool installing;
};

struct raft_core_times {
  unsigned election_ms, heartbeat_ms, install_ms;
};

/* Null: out of memory. `seed` is that of the election timer. */
struct raft_core* raft_core_new(uint64_t id, const struct raft_core_times* times, unsigned seed);
void raft_core_delete(struct raft_core* x);

/* Once, first: with what is stored. `snapshot` may be null. Without it the entries start at 1 with a change; with it at
 * most one behind it. A node that waits to be added has none of all that, and term 0. */
int raft_core_start(struct raft_core* x, uint64_t now, uint64_t term, uint64_t voted_for,
                    const struct raft_core_snapshot* snapshot, uint64_t first_index,
                    const struct raft_core_entry* entries, unsigned n_entries, struct raft_core_update* update);
/* At `deadline` or later. */
int raft_core_tick(struct raft_core* x, uint64_t now, struct raft_core_update* update);
/* An append must have a change of members only as its first entry. */
int raft_core_receive(struct raft_core* x, uint64_t now, const struct raft_core_message* message,
                      struct raft_core_update* update);
/* All entries up to `index`, which is in the log, are stored. */
int raft_core_stored(struct raft_core* x, uint64_t now, uint64_t index, struct raft_core_update* update);
/* The snapshot that an update asked for is stored; it may be a later one. */
int raft_core_installed(struct raft_core* x, uint64_t now, const struct raft_core_snapshot* snapshot,
                        struct raft_core_update* update);
/* On a leader. A change of members comes alone. `at_once`: also to followers that have not answered lately. */
int raft_core_submit(struct raft_core* x, uint64_t now, const struct raft_core_entry* entries, unsigned n_entries,
                     bool at_once, struct raft_core_update* update);
/* A committed change of members was applied. */
int raft_core_changed(struct raft_core* x, uint64_t now, uint64_t index, const struct raft_core_member* members,
                      unsigned n_members, struct raft_core_update* update);
/* The state up to `snapshot` is safe without the log, of which `trailing` entries before it stay. */
int raft_core_compacted(struct raft_core* x, uint64_t now, const struct raft_core_snapshot* snapshot, unsigned trailing,
                        struct raft_core_update* update);
/* On a leader: brings a spare member up to date. */
int raft_core_catch_up(struct raft_core* x, uint64_t now, uint64_t id, struct raft_core_update* update);
enum raft_core_progress { raft_core_none, raft_core_running, raft_core_aborted, raft_core_finished };
int raft_core_catch_up_progress(const struct raft_core* x, uint64_t id); /* none, too, when it is no leader */
/* On a leader: makes that voter the leader. */
int raft_core_transfer(struct raft_core* x, uint64_t now, uint64_t id, struct raft_core_update* update);
/* A hint that the leader, if it is `id`, is gone: an election begins in `wait_ms`, if none other does before. */
void raft_core_leader_is_down(struct raft_core* x, uint64_t now, uint64_t id, unsigned wait_ms);

struct raft_core_facts raft_core_facts(struct raft_core* x);
/* How far a member's log is known to agree with this leader's; 0 when it is no leader or knows no such member. */
uint64_t raft_core_match(const struct raft_core* x, uint64_t id);

/* A change's bytes: to be freed with `raft_core_free`. Null: out of memory, or two members are the same. */
char* raft_core_encode_members(const struct raft_core_member* members, unsigned n_members, size_t* size);
/* How many there are, at most `members_max` of them written; -1: no such bytes. */
int raft_core_decode_members(const char* bytes, size_t size, struct raft_core_member* members, unsigned members_max);
void raft_core_free(void* x);

#ifdef __cplusplus
}
#endif

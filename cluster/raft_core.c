// The core is the library; around it stands what it takes for granted or gets wrong.
#include "cluster/raft_core.h"

#include <limits.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Later versions have changed who owns the memory of nearly every event. */
_Static_assert(RAFT_VERSION_NUMBER == 2201, "written for cowsql raft 0.22.1");
_Static_assert((int)raft_core_command == (int)RAFT_COMMAND && (int)raft_core_change == (int)RAFT_CHANGE, "kinds");
_Static_assert((int)raft_core_standby == (int)RAFT_STANDBY && (int)raft_core_spare == (int)RAFT_SPARE, "roles");
_Static_assert((int)raft_core_follower == (int)RAFT_FOLLOWER && (int)raft_core_leader == (int)RAFT_LEADER, "states");
_Static_assert((int)raft_core_append == (int)RAFT_APPEND_ENTRIES && (int)raft_core_timeout_now == (int)RAFT_TIMEOUT_NOW,
               "messages");
_Static_assert((int)raft_core_aborted == (int)RAFT_CATCH_UP_ABORTED, "progress");

#ifdef TROUPE_RAFT_DEFECTS
enum raft_core_defect raft_core_planted;
#endif

enum {
  address_size = 24, /* A node's id in digits: the library tells members apart by their addresses too. */
  inflight_max = 4096,
  catch_up_rounds_max = 100,
  catch_up_round_ms_max = 60000
};

/* The versions that the library gives its messages; it asks for no others. */
enum { vote_version = 2, vote_result_version = 2, append_result_version = 2 };

/* What a leader knows of a member: the library's own, which its header does not show. */
enum { progress_probe, progress_pipeline, progress_snapshot };
struct raft_progress {
  unsigned short state, catch_up, features, capacity;
  raft_index next_index, match_index;
  raft_time last_send, last_recv;
  struct {
    raft_index index;
    raft_time last_send;
  } snapshot;
};

struct raft_core {
  struct raft raft;
  void* barrier; /* The bytes of the library's own entry, which are ours once it gave them back to be stored. */
  unsigned heartbeat_ms;
  unsigned election_ms;
  /* For what a step takes and gives; grown as needed. */
  struct raft_entry* entries;
  unsigned entries_size;
  struct raft_core_entry* stored;
  unsigned stored_size;
  struct raft_core_message* messages;
  unsigned messages_size;
  struct raft_core_member* members;
  unsigned members_size;
};

static int grown(void** array, unsigned* size, unsigned wanted, size_t item) {
  void* more;
  if (wanted <= *size)
    return 1;
  wanted = wanted < 8 ? 8 : wanted;
  more = realloc(*array, wanted * item);
  if (more == NULL)
    return 0;
  *array = more;
  *size = wanted;
  return 1;
}

static int failure_of(int code) {
  switch (code) {
  case 0:
    return 0;
  case RAFT_NOTLEADER:
  case RAFT_LEADERSHIPLOST:
    return raft_core_not_leader;
  case RAFT_CANTCHANGE:
    return raft_core_busy;
  case RAFT_BADID:
  case RAFT_NOTFOUND:
    return raft_core_misuse;
  default:
    return raft_core_fatal;
  }
}

static const struct raft_server* member(const struct raft_core* x, uint64_t id) {
  for (unsigned i = 0; i < x->raft.configuration.n; ++i)
    if (x->raft.configuration.servers[i].id == id)
      return &x->raft.configuration.servers[i];
  return NULL;
}

static struct raft_progress* progress_of(const struct raft_core* x, uint64_t id) {
  const struct raft_server* who = member(x, id);
  return who != NULL && x->raft.state == RAFT_LEADER
             ? &x->raft.leader_state.progress[who - x->raft.configuration.servers]
             : NULL;
}

/* -- members ------------------------------------------------------------------------------------------------------ */

static int to_configuration(const struct raft_core_member* members, unsigned n, struct raft_configuration* out) {
  raft_configuration_init(out);
  for (unsigned i = 0; i < n; ++i) {
    char address[address_size];
    snprintf(address, sizeof address, "%llu", (unsigned long long)members[i].id);
    if (raft_configuration_add(out, members[i].id, address, members[i].role) != 0) {
      raft_configuration_close(out);
      return 0;
    }
  }
  return 1;
}

char* raft_core_encode_members(const struct raft_core_member* members, unsigned n_members, size_t* size) {
  struct raft_configuration all;
  struct raft_buffer bytes;
  int failed;
  if (!to_configuration(members, n_members, &all))
    return NULL;
  failed = raft_configuration_encode(&all, &bytes);
  raft_configuration_close(&all);
  if (failed)
    return NULL;
  *size = bytes.len;
  return bytes.base;
}

static uint64_t little_endian(const unsigned char* at) {
  uint64_t x = 0;
  for (int i = 7; i >= 0; --i)
    x = x << 8 | at[i];
  return x;
}

/* The library's own decoder believes the lengths that it is given. */
int raft_core_decode_members(const char* bytes, size_t size, struct raft_core_member* members, unsigned members_max) {
  const unsigned char* at = (const unsigned char*)bytes;
  const unsigned char* end = at + size;
  uint64_t n;
  if (size < 9 || *at != 1)
    return -1;
  n = little_endian(at + 1);
  at += 9;
  if (n == 0 || n > 1000)
    return -1;
  for (uint64_t i = 0; i < n; ++i) {
    uint64_t id;
    const unsigned char* zero;
    if (end - at < 8)
      return -1;
    id = little_endian(at);
    at += 8;
    zero = memchr(at, 0, (size_t)(end - at));
    if (id == 0 || zero == NULL || end - zero < 2 || zero[1] > RAFT_SPARE)
      return -1;
    if (i < members_max) {
      members[i].id = id;
      members[i].role = zero[1];
    }
    at = zero + 2;
  }
  return (int)n;
}

static int is_sole_voter(uint64_t id, const struct raft_core_member* members, unsigned n) {
  unsigned voters = 0;
  int is_one = 0;
  for (unsigned i = 0; i < n; ++i)
    if (members[i].role == RAFT_VOTER) {
      ++voters;
      is_one = is_one || members[i].id == id;
    }
  return is_one && voters == 1;
}

/* By the last change in `entries`, or else by the snapshot. */
static int starts_as_sole_voter(uint64_t id, const struct raft_core_snapshot* snapshot,
                                const struct raft_core_entry* entries, unsigned n) {
  int answer = 0;
  while (n > 0 && entries[n - 1].kind != raft_core_change)
    --n;
  if (n > 0) {
    const struct raft_core_entry* last = &entries[n - 1];
    int count = raft_core_decode_members(last->bytes, last->size, NULL, 0);
    struct raft_core_member* members = malloc((size_t)count * sizeof *members);
    if (members == NULL)
      return -1;
    raft_core_decode_members(last->bytes, last->size, members, (unsigned)count);
    answer = is_sole_voter(id, members, (unsigned)count);
    free(members);
  } else if (snapshot != NULL) {
    answer = is_sole_voter(id, snapshot->members, snapshot->n_members);
  }
  return answer;
}

static int is_now_sole_voter(const struct raft_core* x) {
  unsigned voters = 0;
  const struct raft_server* who = member(x, x->raft.id);
  for (unsigned i = 0; i < x->raft.configuration.n; ++i)
    voters += x->raft.configuration.servers[i].role == RAFT_VOTER;
  return voters == 1 && who != NULL && who->role == RAFT_VOTER;
}

void raft_core_free(void* x) {
  raft_free(x);
}

/* -- what goes in ------------------------------------------------------------------------------------------------- */

static int to_metadata(const struct raft_core_snapshot* x, struct raft_snapshot_metadata* out) {
  memset(out, 0, sizeof *out);
  out->index = x->index;
  out->term = x->term;
  out->configuration_index = x->members_index;
  return x->index != 0 && x->term != 0 && x->members_index != 0 && x->members_index <= x->index &&
         to_configuration(x->members, x->n_members, &out->configuration);
}

static int are_sound(const struct raft_core_entry* entries, unsigned n) {
  for (unsigned i = 0; i < n; ++i) {
    if (entries[i].term == 0 || entries[i].kind < raft_core_command || entries[i].kind > raft_core_change)
      return 0;
    if (entries[i].kind == raft_core_change && raft_core_decode_members(entries[i].bytes, entries[i].size, NULL, 0) < 0)
      return 0;
  }
  return 1;
}

/* The library never looks at a command's bytes, and of a change takes a copy. */
static int put_entries(struct raft_core* x, const struct raft_core_entry* entries, unsigned n, void* batch) {
  if (!grown((void**)&x->entries, &x->entries_size, n, sizeof *x->entries))
    return 0;
  for (unsigned i = 0; i < n; ++i) {
    x->entries[i].term = entries[i].term;
    x->entries[i].type = (enum raft_entry_type)entries[i].kind;
    x->entries[i].buf.base = (void*)entries[i].bytes; /* It does not write there. */
    x->entries[i].buf.len = entries[i].size;
    x->entries[i].batch = batch;
  }
  return 1;
}

/* -- what comes out ----------------------------------------------------------------------------------------------- */

static int put_members(struct raft_core* x, const struct raft_configuration* from, struct raft_core_snapshot* to) {
  if (!grown((void**)&x->members, &x->members_size, from->n, sizeof *x->members))
    return 0;
  for (unsigned i = 0; i < from->n; ++i) {
    x->members[i].id = from->servers[i].id;
    x->members[i].role = from->servers[i].role;
  }
  to->members = x->members;
  to->n_members = from->n;
  return 1;
}

static void put_message(const struct raft* raft, const struct raft_message* from, struct raft_core_message* to) {
  memset(to, 0, sizeof *to);
  to->type = (int)from->type;
  to->peer = from->server_id;
  switch (from->type) {
  case RAFT_APPEND_ENTRIES:
    to->term = from->append_entries.term;
    to->index = from->append_entries.prev_log_index;
    to->index_term = from->append_entries.prev_log_term;
    to->commit = from->append_entries.leader_commit;
    to->n_entries = from->append_entries.n_entries;
    break;
  case RAFT_APPEND_ENTRIES_RESULT:
    to->term = from->append_entries_result.term;
    to->index = from->append_entries_result.last_log_index;
    to->rejected = from->append_entries_result.rejected;
    /* While it installs a snapshot it has no log of which it could say where it differs from another. */
    if (raft->snapshot.installing)
      to->index = to->rejected = 0;
    break;
  case RAFT_REQUEST_VOTE:
    to->term = from->request_vote.term;
    to->index = from->request_vote.last_log_index;
    to->index_term = from->request_vote.last_log_term;
    to->pre_vote = from->request_vote.pre_vote;
    to->disrupts_leader = from->request_vote.disrupt_leader;
    break;
  case RAFT_REQUEST_VOTE_RESULT:
    to->term = from->request_vote_result.term;
    to->granted = from->request_vote_result.vote_granted;
    to->pre_vote = from->request_vote_result.pre_vote;
    /* The library answers with the term that it was asked about. Who has the better log but an old term would never
     * learn that, and be refused for it, and refuse all others for their logs. */
    if (to->pre_vote && !to->granted && to->term < raft->current_term)
      to->term = raft->current_term;
    break;
  case RAFT_INSTALL_SNAPSHOT:
    to->term = from->install_snapshot.term;
    to->snapshot.index = from->install_snapshot.last_index;
    to->snapshot.term = from->install_snapshot.last_term;
    to->snapshot.members_index = from->install_snapshot.conf_index;
    break;
  case RAFT_TIMEOUT_NOW:
    to->term = from->timeout_now.term;
    to->index = from->timeout_now.last_log_index;
    to->index_term = from->timeout_now.last_log_term;
    break;
  }
}

static int step(struct raft_core* x, struct raft_event* event, uint64_t now, struct raft_core_update* out) {
  struct raft_update update;
  int failed;
  memset(&update, 0, sizeof update);
  memset(out, 0, sizeof *out);
  event->time = now;
  event->capacity = USHRT_MAX;
  raft_free(x->barrier);
  x->barrier = NULL;
  failed = raft_step(&x->raft, event, &update);
  if (failed)
    return failure_of(failed);
  out->hard_state = (update.flags & (RAFT_UPDATE_CURRENT_TERM)) != 0 || (update.flags & (RAFT_UPDATE_VOTED_FOR)) != 0;
  out->state = (update.flags & (RAFT_UPDATE_STATE)) != 0;
  out->commit = (update.flags & (RAFT_UPDATE_COMMIT_INDEX)) != 0;
  if ((update.flags & (RAFT_UPDATE_ENTRIES)) != 0) {
    if (!grown((void**)&x->stored, &x->stored_size, update.entries.n, sizeof *x->stored))
      return raft_core_fatal;
    if (update.entries.batch == &x->raft.barrier)
      x->barrier = x->raft.barrier.buf.base;
    for (unsigned i = 0; i < update.entries.n; ++i) {
      const struct raft_entry* from = &update.entries.batch[i];
      x->stored[i].term = from->term;
      x->stored[i].kind = (int)from->type;
      x->stored[i].bytes = from->buf.base;
      x->stored[i].size = from->buf.len;
    }
    out->first_index = update.entries.index;
    out->entries = x->stored;
    out->n_entries = update.entries.n;
  }
  if ((update.flags & (RAFT_UPDATE_SNAPSHOT)) != 0) {
    out->install = true;
    out->snapshot.index = update.snapshot.metadata.index;
    out->snapshot.term = update.snapshot.metadata.term;
    out->snapshot.members_index = update.snapshot.metadata.configuration_index;
    if (!put_members(x, &update.snapshot.metadata.configuration, &out->snapshot))
      return raft_core_fatal;
    raft_configuration_close(&update.snapshot.metadata.configuration); /* It was handed to us with the update. */
  }
  if ((update.flags & (RAFT_UPDATE_MESSAGES)) != 0 || update.messages.n != 0) {
    if (!grown((void**)&x->messages, &x->messages_size, update.messages.n, sizeof *x->messages))
      return raft_core_fatal;
    for (unsigned i = 0; i < update.messages.n; ++i)
      put_message(&x->raft, &update.messages.batch[i], &x->messages[i]);
    out->messages = x->messages;
    out->n_messages = update.messages.n;
  }
  return 0;
}

static void forget_leader(struct raft_core* x) {
  x->raft.follower_state.current_leader.id = 0;
  raft_free(x->raft.follower_state.current_leader.address);
  x->raft.follower_state.current_leader.address = NULL;
}

/* -- life --------------------------------------------------------------------------------------------------------- */

struct raft_core* raft_core_new(uint64_t id, const struct raft_core_times* times, unsigned seed) {
  struct raft_core* x = calloc(1, sizeof *x);
  char address[address_size];
  snprintf(address, sizeof address, "%llu", (unsigned long long)id);
  if (x == NULL || raft_init(&x->raft, NULL, NULL, id, address) != 0) {
    free(x);
    return NULL;
  }
  /* It would format every line of its trace into one buffer that all threads share. */
  x->raft.tracer = NULL;
  x->heartbeat_ms = times->heartbeat_ms;
  x->election_ms = times->election_ms;
  raft_seed(&x->raft, seed);
  raft_set_pre_vote(&x->raft, true);
  raft_set_election_timeout(&x->raft, times->election_ms);
  raft_set_heartbeat_timeout(&x->raft, times->heartbeat_ms);
  raft_set_install_snapshot_timeout(&x->raft, times->install_ms);
  raft_set_max_inflight_entries(&x->raft, inflight_max);
  raft_set_max_catch_up_rounds(&x->raft, catch_up_rounds_max);
  raft_set_max_catch_up_round_duration(&x->raft, catch_up_round_ms_max);
  return x;
}

void raft_core_delete(struct raft_core* x) {
  if (x == NULL)
    return;
  raft_close(&x->raft, NULL);
  raft_free(x->barrier);
  free(x->entries);
  free(x->stored);
  free(x->messages);
  free(x->members);
  free(x);
}

/* -- events ------------------------------------------------------------------------------------------------------- */

/* A sole voter makes itself the leader. The library lets it do so in the term that it had: in that it may have led
 * before and sent entries that it lost itself, or another may have led. So it takes a new term here, and votes. */

int raft_core_start(struct raft_core* x, uint64_t now, uint64_t term, uint64_t voted_for,
                    const struct raft_core_snapshot* snapshot, uint64_t first_index,
                    const struct raft_core_entry* entries, unsigned n_entries, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_START};
  struct raft_snapshot_metadata metadata;
  int leads, failed;
  if (term == 0          ? voted_for != 0 || snapshot != NULL || n_entries != 0
      : snapshot == NULL ? first_index != 1 || (n_entries != 0 && entries[0].kind != raft_core_change)
                         : first_index == 0 || first_index > snapshot->index + 1)
    return raft_core_misuse;
  for (unsigned i = 0; i < n_entries; ++i)
    if (entries[i].term > term)
      return raft_core_misuse;
  if (!are_sound(entries, n_entries))
    return raft_core_misuse;
  leads =
      RAFT_CORE_MENDS(raft_core_same_term_again) ? starts_as_sole_voter(x->raft.id, snapshot, entries, n_entries) : 0;
  if (leads < 0 || !put_entries(x, entries, n_entries, NULL))
    return raft_core_fatal;
  if (snapshot != NULL && !to_metadata(snapshot, &metadata))
    return raft_core_misuse;
  event.start.term = leads ? term + 1 : term;
  event.start.voted_for = leads ? x->raft.id : voted_for;
  event.start.metadata = snapshot == NULL ? NULL : &metadata;
  event.start.start_index = first_index;
  event.start.entries = x->entries;
  event.start.n_entries = n_entries;
  failed = step(x, &event, now, update);
  update->hard_state = update->hard_state || leads;
  return failed;
}

int raft_core_tick(struct raft_core* x, uint64_t now, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_TIMEOUT};
  int is_late = x->raft.state == RAFT_FOLLOWER && now >= raft_timeout(&x->raft);
  int leads = RAFT_CORE_MENDS(raft_core_same_term_again) && is_late && is_now_sole_voter(x) &&
              x->raft.last_stored == raft_last_index(&x->raft) && !x->raft.snapshot.installing;
  int failed;
  if (leads) {
    ++x->raft.current_term;
    x->raft.voted_for = x->raft.id;
  }
  /* When nobody won, it asks again before it takes another term; the library would take one after the other, and with
   * the last of them end the leadership that it finds when its links are mended. */
  if (x->raft.state == RAFT_CANDIDATE && now >= raft_timeout(&x->raft)) {
    x->raft.candidate_state.in_pre_vote = true;
    x->raft.candidate_state.disrupt_leader = false;
  }
  failed = step(x, &event, now, update);
  update->hard_state = update->hard_state || leads;
  /* One that does not stand itself, as it has no vote or still writes, keeps its leader in the library, and with it
   * refuses all others its vote, forever. */
  if (RAFT_CORE_MENDS(raft_core_leader_kept) && is_late && x->raft.state == RAFT_FOLLOWER)
    forget_leader(x);
  return failed;
}

/* Whether this member, whose log says that it is none or has no vote, has one all the same: who stands counts it when
 * his own log says so. Else those who have not heard of their promotion yet, or not of who takes their place, would
 * leave the rest without a majority. The library refuses. But one without a log has lost it, and its vote with it. */
static int votes_as_a_stranger(struct raft_core* x) {
  const struct raft_server* who = member(x, x->raft.id);
  int has_vote = who != NULL && who->role == RAFT_VOTER;
  return RAFT_CORE_MENDS(raft_core_promoted_is_stranger) && x->raft.state == RAFT_FOLLOWER && !has_vote &&
         raft_last_index(&x->raft) != 0;
}

/* What was compacted here was committed, so each leader has the same. The library refuses entries that begin before
 * the end of it, for ever if no others are sent; but takes those that begin at 1, and puts them behind its last. */
static void skip_compacted(const struct raft_core* x, struct raft_append_entries* to) {
  const struct raft_trail* trail = &x->raft.trail;
  uint64_t known = trail->snapshot.index - to->prev_log_index;
  if (x->raft.snapshot.installing || trail->offset == 0 || to->prev_log_index > trail->offset ||
      to->prev_log_index == trail->snapshot.index)
    return;
  to->prev_log_index = trail->snapshot.index;
  to->prev_log_term = trail->snapshot.term;
  to->n_entries = to->n_entries > known ? to->n_entries - (unsigned)known : 0;
}

/* What a follower's refusal means is told by the library only as long as answers come in the order they were sent. */
static void put_refusal(struct raft_core* x, const struct raft_core_message* from,
                        struct raft_append_entries_result* to) {
  struct raft_progress* progress = progress_of(x, from->peer);
  if (progress == NULL || from->term != x->raft.current_term || from->rejected == 0)
    return;
  if (from->rejected <= progress->match_index) {
    /* It has agreed to this since. The library, when it probes, would go back behind what is agreed and then never send
     * anything again: it would take the difference, which is negative, for too many entries on their way. */
    to->rejected = to->last_log_index = 0;
  } else if (progress->state == progress_snapshot && from->rejected != progress->snapshot.index) {
    /* It installs nothing, or no more (see put_message). The library waits for it to refuse what the snapshot was sent
     * for, but asks for the end of a newer one that it has made itself since. */
    progress->state = progress_probe;
    progress->snapshot.index = 0;
    progress->next_index = from->rejected + 1;
  }
}

/* Where what is said in an old term is refused, the library leaves open how far the log goes, and from what index on it
 * refuses: that may be 0, which means that it agrees. Who said it may lead in the term of the answer by now, and would
 * take entries for stored here that are not. */
static void refuse_clearly(const struct raft_core* x, const struct raft_core_message* from,
                           const struct raft_core_update* update) {
  uint64_t refused = from->type == raft_core_install ? from->snapshot.index : from->index;
  uint64_t last = raft_last_index((struct raft*)&x->raft);
  for (unsigned i = 0; i < update->n_messages; ++i) {
    struct raft_core_message* to = &x->messages[i];
    if (to->type != raft_core_append_result)
      continue;
    to->rejected = refused > 0 ? refused : 1;
    to->index = last < to->rejected ? last : to->rejected - 1;
    if (!RAFT_CORE_MENDS(raft_core_old_term_answered)) { /* As may stand there. */
      to->rejected = from->type == raft_core_install ? 0 : from->index;
      to->index = UINT64_MAX;
    }
  }
}

int raft_core_receive(struct raft_core* x, uint64_t now, const struct raft_core_message* from,
                      struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_RECEIVE};
  struct raft_message message;
  char address[address_size];
  void* batch = NULL;
  struct raft_server self = {.id = x->raft.id, .address = x->raft.address, .role = RAFT_VOTER};
  struct raft_configuration members = x->raft.configuration;
  int is_old = (from->type == raft_core_append || from->type == raft_core_install) && from->term < x->raft.current_term;
  int failed;
  memset(update, 0, sizeof *update);
  if (from->peer == 0 || from->peer == x->raft.id)
    return raft_core_misuse;
  if (x->raft.state == RAFT_LEADER && from->term == x->raft.current_term &&
      (from->type == raft_core_append || from->type == raft_core_install))
    return raft_core_misuse; /* Another leader of one term: it would overwrite what a leader knows. */
  snprintf(address, sizeof address, "%llu", (unsigned long long)from->peer);
  memset(&message, 0, sizeof message);
  message.type = (enum raft_message_type)from->type;
  message.server_id = from->peer;
  message.server_address = address;
  switch (from->type) {
  case raft_core_append:
    if ((from->index == 0) != (from->index_term == 0) || !are_sound(from->entries, from->n_entries))
      return raft_core_misuse;
    for (unsigned i = 0; i < from->n_entries; ++i)
      if (from->entries[i].term > from->term ||
          (RAFT_CORE_MENDS(raft_core_change_amid_entries) && i > 0 && from->entries[i].kind == raft_core_change) ||
          from->entries[i].term < (i > 0 ? from->entries[i - 1].term : from->index_term))
        return raft_core_misuse;
    message.append_entries.term = from->term;
    message.append_entries.prev_log_index = from->index;
    message.append_entries.prev_log_term = from->index_term;
    message.append_entries.leader_commit = from->commit;
    message.append_entries.n_entries = from->n_entries;
    if (RAFT_CORE_MENDS(raft_core_entries_before_log))
      skip_compacted(x, &message.append_entries);
    /* The library frees the first entry's batch, unless it gives the entries back to be stored. */
    if (message.append_entries.n_entries > 0 && (batch = raft_malloc(1)) == NULL)
      return raft_core_fatal;
    if (!put_entries(x, from->entries + (from->n_entries - message.append_entries.n_entries),
                     message.append_entries.n_entries, batch)) {
      raft_free(batch);
      return raft_core_fatal;
    }
    message.append_entries.entries = x->entries;
    break;
  case raft_core_append_result:
    message.append_entries_result.version = append_result_version;
    message.append_entries_result.term = from->term;
    message.append_entries_result.rejected = from->rejected;
    message.append_entries_result.last_log_index = from->index;
    put_refusal(x, from, &message.append_entries_result);
    break;
  case raft_core_vote:
    message.request_vote.version = vote_version;
    message.request_vote.term = from->term;
    message.request_vote.candidate_id = from->peer;
    message.request_vote.last_log_index = from->index;
    message.request_vote.last_log_term = from->index_term;
    message.request_vote.disrupt_leader = from->disrupts_leader;
    message.request_vote.pre_vote = from->pre_vote;
    if (votes_as_a_stranger(x)) {
      x->raft.configuration.servers = &self;
      x->raft.configuration.n = 1;
    }
    break;
  case raft_core_vote_result:
    /* The answer to a pre-vote bears the term that was asked about, which nobody has: the library would take it over
     * when such an answer comes too late. */
    if (x->raft.state != RAFT_CANDIDATE || from->pre_vote != x->raft.candidate_state.in_pre_vote)
      return 0;
    message.request_vote_result.version = vote_result_version;
    message.request_vote_result.term = from->term;
    message.request_vote_result.vote_granted = from->granted;
    message.request_vote_result.pre_vote = from->pre_vote;
    break;
  case raft_core_install: {
    struct raft_snapshot_metadata metadata;
    if (!to_metadata(&from->snapshot, &metadata))
      return raft_core_misuse;
    message.install_snapshot.term = from->term;
    message.install_snapshot.last_index = metadata.index;
    message.install_snapshot.last_term = metadata.term;
    message.install_snapshot.conf_index = metadata.configuration_index;
    message.install_snapshot.conf = metadata.configuration; /* The library's from here on. */
    break;
  }
  case raft_core_timeout_now:
    message.timeout_now.term = from->term;
    message.timeout_now.last_log_index = from->index;
    message.timeout_now.last_log_term = from->index_term;
    break;
  default:
    return raft_core_misuse;
  }
  event.receive.message = &message;
  failed = step(x, &event, now, update);
  if (!failed && is_old)
    refuse_clearly(x, from, update);
  if (x->raft.configuration.servers == &self)
    x->raft.configuration = members;
  if (!failed && batch != NULL && update->n_entries > 0)
    raft_free(batch);
  /* While it installs one it ignores others, and forgets to free them. */
  if (!failed && from->type == raft_core_install && !update->install && x->raft.snapshot.installing &&
      from->term == x->raft.current_term)
    raft_configuration_close(&message.install_snapshot.conf);
  return failed;
}

int raft_core_stored(struct raft_core* x, uint64_t now, uint64_t index, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
  if (index <= x->raft.last_stored || index > raft_last_index(&x->raft) || x->raft.snapshot.installing ||
      x->raft.state == RAFT_CANDIDATE)
    return raft_core_misuse;
  event.persisted_entries.index = index;
  return step(x, &event, now, update);
}

int raft_core_installed(struct raft_core* x, uint64_t now, const struct raft_core_snapshot* snapshot,
                        struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
  if (!x->raft.snapshot.installing || x->raft.state != RAFT_FOLLOWER ||
      snapshot->index < x->raft.trail.snapshot.index || !to_metadata(snapshot, &event.persisted_snapshot.metadata))
    return raft_core_misuse;
  event.persisted_snapshot.last = true;
  /* The library's log, empty while it installs, would go on behind the snapshot that it was told of, not this one. */
  if (RAFT_CORE_MENDS(raft_core_newer_snapshot) && snapshot->index > x->raft.trail.snapshot.index) {
    x->raft.trail.snapshot.index = snapshot->index;
    x->raft.trail.snapshot.term = snapshot->term;
    x->raft.trail.offset = snapshot->index;
  }
  return step(x, &event, now, update);
}

int raft_core_submit(struct raft_core* x, uint64_t now, const struct raft_core_entry* entries, unsigned n_entries,
                     bool at_once, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_SUBMIT};
  static char not_from_the_heap;
  int failed;
  if (x->raft.state != RAFT_LEADER)
    return raft_core_not_leader;
  if (n_entries == 0 || !are_sound(entries, n_entries))
    return raft_core_misuse;
  for (unsigned i = 0; i < n_entries; ++i)
    if (entries[i].term != x->raft.current_term || (n_entries > 1 && entries[i].kind == raft_core_change))
      return raft_core_misuse;
  /* Ours throughout: the library gives them back to be stored, or fails and leaves them alone. */
  if (!put_entries(x, entries, n_entries, &not_from_the_heap))
    return raft_core_fatal;
  event.submit.entries = x->entries;
  event.submit.n = n_entries;
  if (at_once)
    raft_set_heartbeat_timeout(&x->raft, 0);
  failed = step(x, &event, now, update);
  raft_set_heartbeat_timeout(&x->raft, x->heartbeat_ms);
  return failed;
}

int raft_core_changed(struct raft_core* x, uint64_t now, uint64_t index, const struct raft_core_member* members,
                      unsigned n_members, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_CONFIGURATION};
  if (index == 0 || index > x->raft.commit_index || !to_configuration(members, n_members, &event.configuration.conf))
    return raft_core_misuse;
  /* A follower may hear at once of the next change and that this one is committed. The library would forget this one
   * then, and should the next be void go back to the members before it. */
  if (index > x->raft.configuration_committed_index && index < x->raft.configuration_uncommitted_index) {
    raft_configuration_close(&x->raft.configuration_committed);
    x->raft.configuration_committed = event.configuration.conf;
    x->raft.configuration_committed_index = index;
    memset(update, 0, sizeof *update);
    return 0;
  }
  event.configuration.index = index;
  return step(x, &event, now, update);
}

int raft_core_compacted(struct raft_core* x, uint64_t now, const struct raft_core_snapshot* snapshot, unsigned trailing,
                        struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_SNAPSHOT};
  if (x->raft.snapshot.installing || snapshot->index > x->raft.commit_index ||
      snapshot->index > raft_last_index(&x->raft) || snapshot->index <= x->raft.trail.snapshot.index ||
      !to_metadata(snapshot, &event.snapshot.metadata))
    return raft_core_misuse;
  event.snapshot.trailing = trailing;
  return step(x, &event, now, update);
}

int raft_core_catch_up(struct raft_core* x, uint64_t now, uint64_t id, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_CATCH_UP};
  const struct raft_server* who = member(x, id);
  if (x->raft.state != RAFT_LEADER)
    return raft_core_not_leader;
  if (who == NULL || who->role != RAFT_SPARE || id == x->raft.id)
    return raft_core_misuse;
  if (x->raft.leader_state.promotee_id != 0)
    return raft_core_busy;
  event.catch_up.server_id = id;
  return step(x, &event, now, update);
}

int raft_core_catch_up_progress(const struct raft_core* x, uint64_t id) {
  int progress = RAFT_CATCH_UP_NONE;
  if (x->raft.state != RAFT_LEADER || member(x, id) == NULL || raft_catch_up(&x->raft, id, &progress) != 0)
    return raft_core_none;
  return progress;
}

int raft_core_transfer(struct raft_core* x, uint64_t now, uint64_t id, struct raft_core_update* update) {
  struct raft_event event = {.type = RAFT_TRANSFER};
  const struct raft_server* who = member(x, id);
  if (x->raft.state != RAFT_LEADER)
    return raft_core_not_leader;
  if (who == NULL || who->role != RAFT_VOTER || id == x->raft.id)
    return raft_core_misuse;
  event.transfer.server_id = id;
  return step(x, &event, now, update);
}

void raft_core_leader_is_down(struct raft_core* x, uint64_t now, uint64_t id, unsigned wait_ms) {
  if (x->raft.state != RAFT_FOLLOWER || id == 0 || x->raft.follower_state.current_leader.id != id)
    return;
  /* As long as it knows a leader it gives nobody else its vote. The timer's start is moved, not its length. */
  forget_leader(x);
  if (now + wait_ms < x->raft.election_timer_start + x->raft.follower_state.randomized_election_timeout)
    x->raft.election_timer_start = now + wait_ms - x->raft.follower_state.randomized_election_timeout;
}

/* -- facts -------------------------------------------------------------------------------------------------------- */

struct raft_core_facts raft_core_facts(struct raft_core* x) {
  struct raft_core_facts out;
  raft_id leader = 0;
  const char* address = NULL;
  raft_leader(&x->raft, &leader, &address);
  memset(&out, 0, sizeof out);
  out.term = raft_current_term(&x->raft);
  out.voted_for = raft_voted_for(&x->raft);
  out.commit_index = raft_commit_index(&x->raft);
  out.last_index = raft_last_index(&x->raft);
  out.last_stored = x->raft.last_stored;
  out.leader = leader;
  out.transferee = raft_transferee(&x->raft);
  out.changing = x->raft.configuration_uncommitted_index;
  out.deadline = raft_timeout(&x->raft);
  out.state = (int)raft_state(&x->raft);
  out.role = raft_role(&x->raft);
  out.installing = x->raft.snapshot.installing;
  return out;
}

uint64_t raft_core_match(const struct raft_core* x, uint64_t id) {
  raft_index index = 0;
  if (member(x, id) == NULL || raft_match_index(&x->raft, id, &index) != 0)
    return 0;
  return index;
}

// SESSION: one client's stream: first its negotiation, then one bound resource.
//
// Two sources: session.cpp (the stream: negotiation, ends, what is written), session_stanzas.cpp (what a signed-in
// client sends: checks, stamps, hooks, routes).
#pragma once

#include "actors/connection.hpp"
#include "actors/context.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "protocol/blocklist.hpp"
#include "protocol/delivery.hpp"
#include "protocol/stream.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace xmpp {

class session final : public supervised<session_actor> {
public:
  session(caf::actor_config& cfg, caf::strong_actor_ptr parent, server_context& server,
          std::shared_ptr<stream_control> control, net::address peer);
  ~session() override;

  /// Before the first message only.
  void set_transport(net::transport_ptr transport) { transport_ = std::move(transport); }

  behavior_type make_behavior() override;

protected:
  void restart() override {} // never: its supervisor stops it
  void on_stop(const std::string& reason) override;
  void stop() override;
  msg::description describe() const override;
  bool must_wait(caf::mailbox_element& x) override;
  void on_exit_message(caf::exit_msg& x) override;
  void on_exit() override;

private:
  /// In a handler of `make_behavior`.
  static session& self() noexcept { return current<session>(); }

  // -- session.cpp: negotiation --
  struct negotiating; ///< All that is only needed until a resource is bound.
  struct stored_output;
  /// What a step of the negotiation asks for, in order; some of it later, when one asks for a pause.
  void carry_out(actions todo);
  std::chrono::milliseconds carry_out_one(act::send& x);
  std::chrono::milliseconds carry_out_one(act::start_tls& x);
  std::chrono::milliseconds carry_out_one(act::restart& x);
  std::chrono::milliseconds carry_out_one(act::look_up& x);
  std::chrono::milliseconds carry_out_one(act::check_password& x);
  std::chrono::milliseconds carry_out_one(act::register_account& x);
  std::chrono::milliseconds carry_out_one(act::rejected& x);
  std::chrono::milliseconds carry_out_one(act::authenticated& x);
  std::string attempts_on(const jid& account) const;
  std::chrono::milliseconds carry_out_one(act::bind& x);
  std::chrono::milliseconds carry_out_one(act::established& x);
  std::chrono::milliseconds carry_out_one(act::close& x);

  // -- session.cpp: the stream --
  void write(std::string_view bytes);
  void take(const msg::deliver& x);
  void deliver(const stanza& x);
  caf::result<msg::written> deliver_stored(const msg::deliver_stored& x);
  void stored_has_gone_out();
  void stored_is_lost();
  bool ends_behind_stored(errc reason);
  void close_stream();
  /// Ends the stream: tells the account, tells the client why, and quits.
  void end(errc reason, std::string_view text = {}, std::string_view see_other_host = {});
  bool is_sent_away();
  void log_end(std::string_view why, log_level if_not_bound); ///< Before `leave`.
  /// The account's side of the end; this actor quits when the account has let go of it.
  void leave();
  /// A stanza that came too late.
  void take_late(const msg::deliver& x);
  void give_back_all();
  void give_back(const msg::deliver& x, std::uint64_t session_id);
  void blocks_changed(const msg::blocks_changed& x);
  void attach_again();
  user_actor way_to_account(const caf::strong_actor_ptr& user) const;

  // -- session_stanzas.cpp --
  void received(const element& x);
  void from_client(stanza x);
  bool is_checked_by_account(const stanza& x) const;
  void by_kind(stanza x);
  void presence_from_client(stanza x);
  void iq_from_client(stanza x);
  void learn_capabilities(const stanza& presence);
  bool told_capabilities(const stanza& x);
  void watch(const stanza& request);
  void route(stanza x);
  void answer_as_host(const host& at, const stanza& x);
  /// The error that answers the client's own stanza, if one is due.
  void refuse(const stanza& x, errc code, const element& application_condition = {});
  void to_own_account(stanza x, std::vector<jid> directed = {}, bool was_available = false);
  void remove_forgeries(stanza& x) const;
  friend class session_context;

  server_context& server_;
  net::transport_ptr transport_;
  std::shared_ptr<stream_control> control_;
  std::unique_ptr<negotiating> negotiating_; ///< Null once a resource is bound.
  jid full_;                                 ///< Empty until then.
  user_actor user_;                          ///< Of its account; null while that is being looked for.
  std::shared_ptr<const blocklist> blocks_;
  std::unique_ptr<directed_presence> directed_;
  std::unique_ptr<stored_output> stored_output_; ///< Null: it has been sent nothing from there.
  struct asked_capabilities {
    std::string id, hash, ver;
  };
  struct leaving {
    msg::has_left end;
    std::vector<msg::deliver> stanzas = {};
    std::size_t bytes = 0;
  };
  std::unique_ptr<leaving> late_;               ///< What came while the account lets go.
  std::unique_ptr<asked_capabilities> asked_;   ///< Null: nothing is asked.
  std::unique_ptr<std::string> changes_blocks_; ///< The id of the last request that does, until it is answered.
  caps_cache::features::weak_type features_;    ///< Of the client, verified; null: not known, or forgotten.
  std::string lang_;                            ///< Of the stream: that of stanzas which say none.
  element presence_;                            ///< Its last broadcast one; none: unavailable.
  net::address peer_;
  net::tls_choice tls_; ///< The transport forgets its own.
  std::int8_t priority_ = 0;
  bool interested_ = false;
  bool wants_blocks_ = false;
  bool anonymous_ = false;
  bool sends_by_shard_ = false; ///< To its account, since it last asked for it.
  bool attaching_ = false;      ///< The account was asked and has not answered.
  bool attaches_again_ = false; ///< The same, by the shard.
  bool is_polite_ = false;      ///< The client closed its stream, and is still written to until the account lets go.
  bool ended_ = false;
  bool stops_ = false;          ///< It has failed, and ends when the account has let go.
  std::uint32_t bound_s_ = 0;   ///< When, since the epoch.
  std::int64_t created_ms_ = 0; ///< Of the account: a later one of the same name is another.
};

} // namespace xmpp

"""Which of httpx's and httpcore's own cases about connections and calls are kept, and where.

The names on the left are those of their tests (httpx 0.28, httpcore 1.0), those on the right of
ours.  Ours run through our pool under httpx, past its layers, and on httpx as it is.
"""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent

CALLS, POOL = "test_httpx_cases.py", "test_pool.py"
DOORS, OPENING = "test_doors.py", "pool/test_opening.py"

KEPT = {
    "httpx client/test_async_client.py": {
        "get options head put patch delete build_request server_extensions": (
            CALLS,
            "test_every_method_arrives_and_is_answered",
        ),
        "get_invalid_url": (CALLS, "test_an_address_that_is_none_is_refused"),
        "post post_json": (CALLS, "test_bodies_arrive_as_they_were_meant"),
        "stream_response access_content_stream_response": (
            CALLS,
            "test_a_stream_is_read_once_and_its_content_only_then",
        ),
        "stream_request": (DOORS, "test_a_body_in_pieces_is_sent_in_chunks"),
        "cannot_stream_sync_request": (CALLS, "test_a_request_that_cannot_be_awaited_is_refused"),
        "raise_for_status": (CALLS, "test_a_status_can_be_raised"),
        "100_continue": (CALLS, "test_announcements_are_passed_over"),
        "client_closed_state_using_implicit_open client_closed_state_using_with_block": (
            CALLS,
            "test_a_closed_client_sends_nothing",
        ),
        "mounted_transport async_mock_transport": (
            CALLS,
            "test_another_transport_is_used_when_it_is_given",
        ),
        "cancellation_during_stream": (
            CALLS,
            "test_leaving_in_the_middle_of_a_body_closes_its_connection",
        ),
    },
    "httpx test_timeouts.py": {
        "read_timeout": (CALLS, "test_a_silent_server_is_a_read_timeout"),
        "write_timeout": (CALLS, "test_a_server_that_takes_nothing_is_a_write_timeout"),
        "connect_timeout": (CALLS, "test_a_stalled_handshake_is_a_connect_timeout"),
        "pool_timeout": (CALLS, "test_no_free_connection_is_a_pool_timeout"),
        "async_client_new_request_send_timeout": (
            CALLS,
            "test_a_request_made_by_hand_gets_the_client_s_timeout",
        ),
    },
    "httpx client/test_redirects.py": {
        "redirect_301 redirect_302 redirect_303 relative_redirect body_redirect": (
            CALLS,
            "test_a_redirect_is_followed_when_asked_for",
        ),
        "next_request async_next_request": (
            CALLS,
            "test_a_redirect_is_shown_when_it_is_not_followed",
        ),
        "async_too_many_redirects redirect_loop": (CALLS, "test_redirects_without_an_end_end"),
        "malformed_redirect invalid_redirect async_invalid_redirect": (
            CALLS,
            "test_a_redirect_to_nowhere_is_an_error_and_keeps_nothing",
        ),
        "cross_domain_redirect_with_auth_header": (CALLS, "test_keys_stay_with_their_origin"),
        "cannot_redirect_streaming_body": (CALLS, "test_a_body_in_pieces_cannot_be_sent_twice"),
    },
    "httpx client/test_event_hooks.py, test_cookies.py, test_headers.py": {
        "async_event_hooks async_event_hooks_raising_exception async_event_hooks_with_redirect": (
            CALLS,
            "test_hooks_see_each_request_and_a_hook_s_error_closes_the_connection",
        ),
        "set_cookie cookie_persistence": (CALLS, "test_cookies_are_kept_sent_and_expire"),
        "client_header header_merge header_merge_conflicting_headers": (
            CALLS,
            "test_headers_are_merged_as_httpx_does",
        ),
        "host_with_auth_and_port_in_url": (CALLS, "test_a_user_in_the_address_is_basic_auth"),
    },
    "httpcore test_connection_pool.py": {
        "connection_pool_with_keepalive": (
            CALLS,
            "test_connections_are_shared_by_turns_and_reused",
        ),
        "connection_pool_with_close": (CALLS, "test_connections_that_close_make_room_for_others"),
        "trace_request": (CALLS, "test_each_step_is_told_to_a_trace"),
        "connection_pool_with_http_exception": (
            CALLS,
            "test_a_failed_exchange_leaves_the_pool_empty",
        ),
        "connection_pool_with_connect_exception": (
            CALLS,
            "test_a_failed_connect_leaves_the_pool_empty",
        ),
        "connection_pool_with_immediate_expiry": (POOL, "test_idle_connections_are_closed_in_time"),
        "connection_pool_concurrency_same_domain_keepalive": (
            CALLS,
            "test_connections_are_shared_by_turns_and_reused",
        ),
        "connection_pool_concurrency_same_domain_closing": (
            CALLS,
            "test_connections_that_close_make_room_for_others",
        ),
        "unsupported_protocol": (CALLS, "test_an_address_that_is_none_is_refused"),
        "connection_pool_closed_while_request_in_flight": (
            CALLS,
            "test_closing_while_a_request_is_under_way_ends_it",
        ),
        "connection_pool_timeout connection_pool_timeout_zero": (
            CALLS,
            "test_no_free_connection_is_a_pool_timeout",
        ),
        "http11_upgrade_connection": (
            CALLS,
            "test_a_protocol_can_be_switched_and_what_came_with_it_is_kept",
        ),
    },
    "httpcore test_connection.py": {
        "http_connection": (CALLS, "test_every_method_arrives_and_is_answered"),
        "concurrent_requests_not_available_on_http11_connections": (
            CALLS,
            "test_connections_are_shared_by_turns_and_reused",
        ),
        "write_error_with_response_sent": (
            CALLS,
            "test_an_early_answer_to_a_large_upload_is_read",
        ),
        "write_error_without_response_sent": (
            CALLS,
            "test_a_server_that_leaves_during_an_upload_is_an_error",
        ),
    },
    "httpcore test_http11.py, test_integration.py": {
        "http11_connection": (POOL, "test_every_framing_is_read_and_the_connection_kept"),
        "http11_connection_unread_response": (
            CALLS,
            "test_a_body_that_is_not_read_gives_its_connection_back_closed",
        ),
        "http11_connection_with_remote_protocol_error http11_connection_with_incomplete_response": (
            CALLS,
            "test_a_failed_exchange_leaves_the_pool_empty",
        ),
        "http11_connection_with_local_protocol_error": (
            CALLS,
            "test_a_header_that_cannot_be_is_refused_before_it_is_sent",
        ),
        "http11_connection_handles_one_active_request": (
            POOL,
            "test_who_waits_is_served_in_turn_and_orders_first",
        ),
        "http11_connection_attempt_close": (POOL, "test_nothing_is_left_after_closing"),
        "http11_expect_continue http11_early_hints": (CALLS, "test_announcements_are_passed_over"),
        "http11_upgrade_connection http11_upgrade_with_trailing_data": (
            CALLS,
            "test_a_protocol_can_be_switched_and_what_came_with_it_is_kept",
        ),
        "http11_header_sub_100kb": (CALLS, "test_a_head_of_nearly_100_kilobytes_is_read"),
        "request ssl_request": (POOL, "test_tls_is_checked_and_asks_for_http_1"),
        "extra_info": (CALLS, "test_what_a_connection_knows_is_told"),
    },
}

LEFT_OUT = {
    "HTTP/2, unix sockets, proxies, retries of the transport": "our clients have none of them",
    "more than one origin under one limit": "our limit is for each origin",
    "no idle connection allowed": "our pool has no such setting; its limit is all there is",
    "a request to another origin's connection": "connections are never in a caller's hands",
    "debug logs of httpcore": "a trace tells the same steps",
    "redirect_custom_scheme, fragments, subdomains": "httpx's own code, which runs unchanged",
}


@pytest.mark.parametrize("theirs", KEPT)
def test_what_is_said_to_be_kept_is(theirs):
    for file, name in KEPT[theirs].values():
        tree = ast.parse((HERE / file).read_text())
        assert name in {getattr(node, "name", "") for node in tree.body}, (file, name)

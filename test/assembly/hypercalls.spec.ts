import {
  evtchn_alloc_unbound,
  evtchn_close,
  evtchn_send,
  gnttab_end_access,
  gnttab_grant_access,
} from '../../assembly/hypercalls';
import { EBUSY, ENOENT, ENOSPC } from '../../assembly/wire/errno';
import {
  ARM64_EVTCHN_PENDING,
  EVTCHN_PENDING_SEL,
  EVTCHN_UPCALL_PENDING,
} from '../../assembly/wire/shared-info';
import {
  fake_calls,
  fake_fail_after,
  fake_frame_of,
  fake_grants,
  fake_port_at,
  fake_ports,
  fake_raise,
  fake_ref_of,
  fake_reset,
  fake_seen_at_send,
  fake_sent,
  fake_set_busy,
  fake_shared_info,
  fake_violations,
  fake_watch_at_send,
} from './fake';

const PAGE: usize = 0x100000;

describe('the fake Xen under the specs', () => {
  beforeEach(() => {
    fake_reset();
    memory.fill(PAGE, 0, 4096);
  });

  it('hands out ports and references with gaps, and the same ones after a reset', () => {
    const first = evtchn_alloc_unbound(0);
    const second = evtchn_alloc_unbound(0);
    expect(second - first).toBeGreaterThan(1);
    expect(fake_port_at(1)).toBe(<i32>second);
    fake_reset();
    expect(fake_ports()).toBe(0);
    expect(evtchn_alloc_unbound(0)).toBe(first);
  });

  it('refuses further ports and grants when told to, without blaming the core', () => {
    fake_fail_after(1);
    expect(<i32>gnttab_grant_access(0, 256, 0)).toBeGreaterThan(0);
    expect(<i32>gnttab_grant_access(0, 257, 0)).toBe(-ENOSPC);
    expect(<i32>evtchn_alloc_unbound(0)).toBe(-ENOSPC);
    expect(fake_grants()).toBe(1);
    expect(fake_violations()).toBe(0);
  });

  it('keeps a grant that the peer has mapped, and blames a grant that is ended twice', () => {
    const ref = gnttab_grant_access(0, 256, 0);
    expect(fake_frame_of(ref)).toBe(256);
    expect(fake_ref_of(256)).toBe(<i32>ref);
    fake_set_busy(ref, true);
    expect(gnttab_end_access(ref)).toBe(-EBUSY);
    fake_set_busy(ref, false);
    expect(gnttab_end_access(ref)).toBe(0);
    expect(fake_violations()).toBe(0);
    expect(gnttab_end_access(ref)).toBe(-ENOENT);
    expect(fake_violations()).toBe(1);
  });

  it('shows what the peer would have found at a notification', () => {
    const port = evtchn_alloc_unbound(0);
    fake_watch_at_send(port, PAGE);
    store<u32>(PAGE, 7);
    expect(evtchn_send(port)).toBe(0);
    store<u32>(PAGE, 8);
    expect(fake_sent(port)).toBe(1);
    expect(fake_seen_at_send(port)).toBe(7);
    expect(fake_calls()).toBe(2);
  });
});

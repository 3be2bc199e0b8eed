# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make                   the daemon, the library, the command; make stubdom: the manager's image; make man
# make check             every test; needs what packages.debian names
# make check-native      those that need no Xen
# make bench, bench-xen   figures, side by side with memcached and libxenvchan
# make bench-plots       hit ratios and latencies drawn, into build/plots
# make check-xen         every suite on the real hypervisor, under QEMU
# make check-xen-pvh     the same with the manager and the guests in PVH, as shipped: on an emulator that it builds first
# make check-long        the kill and model tests for about twenty minutes (SEED=n repeats one), then check-long-xen
# make check-long-xen    disks with two kernels and both types of guests, and more kills, for hours
# make install DESTDIR=  (and: make uninstall); a half of it: install-guest, install-dom0
#
# PREFIX=/usr BINDIR= SBINDIR= LIBDIR= INCLUDEDIR= MANDIR= DOCDIR=   where it is installed (elsewhere than below /usr: run ldconfig then);
# SYSCONFDIR=/etc UNITDIR=/lib/systemd/system MODULESLOADDIR=/usr/lib/modules-load.d   not below PREFIX unless told
# BUILD=dir   where everything is built      CC=gcc|clang
# CFLAGS, CPPFLAGS, LDFLAGS                  yours (-O2 -g), besides what the build needs
# WERROR=     warnings are not errors: for compilers that are newer than this tree
# STUBDOM_KERNEL=version, STUBDOM_SYSROOT=dir   the kernel of the manager's domain: the newest
#             of /boot that has modules, unless told; below a directory instead of /
# SAN=address,undefined | thread             a sanitizer build, in a BUILD of its own
# V=1         show the commands

VERSION := 0.1.0
ABI     := 1

# make has a CC of its own, so ?= does nothing
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG  ?= clang
SAN    ?=
comma  := ,
Q      := $(if $(V),,@)
say     = $(if $(V),:,@printf '  %-4s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2)))
BUILD  ?= build$(if $(SAN),/san-$(firstword $(subst $(comma), ,$(SAN))))

PREFIX     ?= /usr
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/xentmem
DATADIR    ?= $(LIBDIR)/xentmem
SYSCONFDIR ?= /etc
UNITDIR    ?= /lib/systemd/system
MODULESLOADDIR ?= /usr/lib/modules-load.d

# ---- sources, by layer: a file is built only if it stands here ----

PROTOCOL_SRC := protocol/codec.c protocol/control.c protocol/copy.c
UTIL_SRC     := daemon/util/bug.c daemon/util/lock.c daemon/util/log.c daemon/util/notify.c \
                daemon/util/processor.c daemon/util/size.c daemon/util/thread.c
STORE_SRC    := daemon/store/segment.c daemon/store/super.c daemon/store/desc.c \
                daemon/store/record.c daemon/store/depot.c daemon/store/pages.c \
                daemon/store/inspect.c daemon/store/store.c daemon/store/page_hash.c \
                daemon/store/page_copy.c daemon/store/page_avx2.c daemon/store/page_scalar.c
ENGINE_SRC   := daemon/engine/table.c daemon/engine/slab.c daemon/engine/object_index.c \
                daemon/engine/queue.c daemon/engine/ghost.c daemon/engine/miniature.c daemon/engine/tuner.c daemon/engine/claim.c \
                daemon/engine/shard.c daemon/engine/tomb.c daemon/engine/victim.c \
                daemon/engine/reclaim.c daemon/engine/reserve.c daemon/engine/limit.c daemon/engine/seat.c daemon/engine/pool.c daemon/engine/pool_ops.c \
                daemon/engine/account.c daemon/engine/shared.c daemon/engine/put.c \
                daemon/engine/get.c daemon/engine/ahead.c daemon/engine/flush.c daemon/engine/recover.c \
                daemon/engine/stats.c daemon/engine/check.c daemon/engine/engine.c
BLK_SRC      := daemon/blk/answer.c daemon/blk/base.c daemon/blk/batch.c daemon/blk/blkif.c daemon/blk/cache.c daemon/blk/caches.c \
                daemon/blk/catalogue.c \
                daemon/blk/device.c daemon/blk/disks.c daemon/blk/gate.c \
                daemon/blk/items.c daemon/blk/items_recover.c daemon/blk/layer.c daemon/blk/lost.c daemon/blk/pool_page.c daemon/blk/scratch.c \
                daemon/blk/stack.c daemon/blk/target.c daemon/blk/turn.c
BLOCKDEV_SRC := daemon/blockdev/aio.c daemon/blockdev/blockdev.c daemon/blockdev/crew.c
SCHEMA_SRC   := xenstore-schema/form.c xenstore-schema/front.c xenstore-schema/nodes.c xenstore-schema/states.c \
                xenstore-schema/value.c xenstore-schema/vbd_front.c xenstore-schema/vbd_states.c
SESSION_SRC  := daemon/session/data.c daemon/session/dispatch.c daemon/session/heartbeat.c \
                daemon/session/open.c daemon/session/record.c daemon/session/rota.c daemon/session/serve.c \
                daemon/session/session.c daemon/session/sessions.c daemon/session/worker.c
TRANSPORT_LOCAL_SRC := daemon/transport/local/channel.c daemon/transport/local/client.c \
                       daemon/transport/local/closing.c daemon/transport/local/hello.c \
                       daemon/transport/local/local.c daemon/transport/local/socket.c
TRANSPORT_XEN_SRC   := daemon/transport/xen/attachment.c daemon/transport/xen/backend.c \
                       daemon/transport/xen/mapping.c daemon/transport/xen/node.c \
                       daemon/transport/xen/peer.c daemon/transport/xen/persistent_grants.c daemon/transport/xen/platform.c \
                       daemon/transport/xen/policies.c daemon/transport/xen/roster.c \
                       daemon/transport/xen/vbd.c daemon/transport/xen/vbd_disk.c \
                       daemon/transport/xen/vbd_link.c daemon/transport/xen/vbd_nodes.c \
                       daemon/transport/xen/vbd_session.c daemon/transport/xen/vbd_world.c \
                       daemon/transport/xen/xen.c
CONTROL_SRC  := daemon/control/control.c daemon/control/counters.c daemon/control/describe.c daemon/control/minimums.c \
                daemon/control/disk_commands.c daemon/control/policy.c daemon/control/reply.c \
                daemon/control/words.c
START_SRC    := daemon/options.c daemon/segments.c daemon/xen_policy.c
DAEMON_MAIN  := daemon/main.c

LIB_SRC  := frontend/lib/answer.c frontend/lib/async.c frontend/lib/attach_local.c frontend/lib/clock.c \
            frontend/lib/attach_xen.c frontend/lib/batch.c frontend/lib/beat.c \
            frontend/lib/finished.c frontend/lib/handle.c frontend/lib/handle_life.c \
            frontend/lib/log.c frontend/lib/open.c frontend/lib/page.c frontend/lib/pool.c \
            frontend/lib/reconnect.c frontend/lib/request.c frontend/lib/ring.c frontend/lib/room.c \
            frontend/lib/status.c frontend/lib/where.c frontend/lib/xen_nodes.c frontend/lib/xen_share.c
TOOL_SRC := frontend/tool/main.c frontend/tool/command.c frontend/tool/guest.c frontend/tool/guest_pool.c \
            frontend/tool/guest_page.c frontend/tool/guest_refusal.c frontend/tool/guest_bench.c \
            frontend/tool/output.c frontend/tool/progress.c frontend/tool/text.c \
            frontend/tool/latency.c frontend/tool/vdev.c
# the operator's half of the command
OPERATOR_SRC := frontend/tool/operator.c frontend/tool/operator_agent.c \
                frontend/tool/operator_attach.c frontend/tool/operator_attaching.c \
                frontend/tool/operator_book.c frontend/tool/operator_book_file.c \
                frontend/tool/operator_base.c frontend/tool/operator_book_json.c frontend/tool/operator_clean.c \
                frontend/tool/operator_dead.c frontend/tool/operator_disk.c \
                frontend/tool/operator_disk_list.c frontend/tool/operator_entry.c frontend/tool/operator_forget.c frontend/tool/operator_freeze.c \
                frontend/tool/operator_names.c \
                frontend/tool/operator_grant.c frontend/tool/operator_list.c \
                frontend/tool/operator_options.c frontend/tool/operator_policy.c \
                frontend/tool/operator_orphan.c frontend/tool/operator_pool.c frontend/tool/operator_signal.c frontend/tool/operator_start.c \
                frontend/tool/operator_stats.c frontend/tool/operator_subject.c \
                frontend/tool/operator_talk.c frontend/tool/operator_xen.c
INIT_SRC := stubdom/boot.c stubdom/cmdline.c stubdom/init.c stubdom/keeper.c

# tests/unit/NAME.c each; every one links the layers it needs from one archive
UNIT_TESTS := ring_test codec_test control_message_test copy_test log_test notify_test segment_test store_desc_test store_test store_open_test store_kill_test \
              frontend_answer_test frontend_local_test frontend_patience_test frontend_ring_test frontend_room_test frontend_text_test frontend_tool_test frontend_where_test \
              local_transport_test local_hostile_test local_restart_test heartbeat_test \
              daemon_options_test local_fence_test session_kill_test session_serve_test
UNIT_TESTS += engine_page_test engine_shared_test engine_flush_test engine_table_test engine_evict_test engine_tuner_test
UNIT_TESTS += engine_recover_test engine_stress_test
UNIT_TESTS += schema_nodes_test schema_value_test schema_states_test xen_transport_test keeper_test
UNIT_TESTS += control_policy_test control_handle_test control_grant_test control_book_test control_command_test
UNIT_TESTS += policy_test
UNIT_TESTS += blk_target_test blkif_test blk_turn_test blk_kill_test schema_vbd_test xen_grants_test xen_disk_test
UNIT_TESTS += history_test engine_history_test engine_fair_test engine_fault_test session_fault_test engine_kill_test
UNIT_TESTS += disk_test disk_recover_test disk_kill_test vdev_test rota_test worker_test cache_test cache_race_test cache_kill_test blockdev_test
# tests/model/NAME.c, tests/conformance/NAME.c: longer native programs of the same kind
LONG_TESTS := conformance/conformance_engine conformance/conformance_broken \
              conformance/conformance_local
LONG_TESTS += model/engine_model model/disk_model kill/daemon_kill kill/disk_kills
# tests/fuzz/NAME.c with tests/fuzz/corpus/NAME/
FUZZERS := request_fuzz control_fuzz segment_fuzz nodes_fuzz blk_fuzz

# Layers that may not reach the outside world (one narrow door)
PURE_SRC := $(PROTOCOL_SRC) $(ENGINE_SRC) $(SCHEMA_SRC) $(BLK_SRC) \
            daemon/store/super.c daemon/store/desc.c daemon/store/record.c \
            daemon/store/page_hash.c daemon/store/page_copy.c daemon/store/page_avx2.c daemon/store/page_scalar.c

# ---- flags ----

WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
        -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
WERROR ?= -Werror
CFLAGS ?= -O2 -g
# What the build needs. CPPFLAGS, CFLAGS and LDFLAGS are the user's, and may be given to make.
OUR_CPPFLAGS := -I. -D_GNU_SOURCE -DXENTMEM_VERSION='"$(VERSION)"'
OUR_CFLAGS   := -std=c11 $(WARN) $(WERROR) -fno-common -fstack-protector-strong -pthread
OUR_LDFLAGS  := -pthread
ifneq ($(SAN),)
OUR_CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
OUR_LDFLAGS += -fsanitize=$(SAN)
# gcc's thread sanitizer does not know fences and says so; ours order notifications, not data
OUR_CFLAGS  += $(if $(filter thread,$(SAN)),$(if $(findstring clang,$(CC)),,-Wno-tsan))
endif
COMPILE = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) $(FILE_CFLAGS)
LINK    = $(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS)

XEN_LIBS    := -lxengnttab -lxenevtchn -lxenstore
DAEMON_LIBS := $(XEN_LIBS) -levent_core
TOOL_LIBS   := $(XEN_LIBS) -ljson-c

LAYERS_SRC := $(PROTOCOL_SRC) $(UTIL_SRC) $(STORE_SRC) $(ENGINE_SRC) $(SCHEMA_SRC) $(BLK_SRC) $(BLOCKDEV_SRC) $(SESSION_SRC) \
              $(TRANSPORT_LOCAL_SRC) $(TRANSPORT_XEN_SRC) $(CONTROL_SRC) $(START_SRC)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# ---- what is built ----

# objects of test programs are intermediate files to make: keep them
.SECONDARY:

.PHONY: all
all: $(if $(DAEMON_MAIN),$(BUILD)/bin/xentmemd) \
     $(if $(LIB_SRC),$(BUILD)/lib/libxentmem.so.$(ABI) $(BUILD)/lib/libxentmem.a) \
     $(if $(TOOL_SRC),$(BUILD)/bin/xentmem) \
     $(if $(INIT_SRC),$(BUILD)/bin/xentmem-init) $(BUILD)/lib/xentmem/same-domid.so

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -fPIC -MMD -MP -c $< -o $@

# clang knows these names, too. Unrolled, a sum takes an emulated processor half the time.
$(BUILD)/obj/daemon/store/page_scalar.o: FILE_CFLAGS = -fno-tree-vectorize -fno-tree-slp-vectorize -funroll-loops

$(BUILD)/lib/layers.a: $(call obj,$(LAYERS_SRC))
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/bin/xentmemd: $(call obj,$(DAEMON_MAIN)) $(BUILD)/lib/layers.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(DAEMON_LIBS)

# the library with its insides, for tests
$(BUILD)/lib/frontend.a: $(call obj,$(LIB_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC))
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# Programs may have a log_say() of their own: one object, in which only the public names are global.
# What -flto left beside the code has symbols of its own
ONLY_PUBLIC := --wildcard --keep-global-symbol='xentmem_*' --remove-section='.gnu.lto_*' --remove-section='.gnu.debuglto_*'
$(BUILD)/lib/libxentmem.a: $(call obj,$(LIB_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC))
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)$(LD) -r -o $(@:.a=.o) $^ && objcopy $(ONLY_PUBLIC) $(@:.a=.o)
	$(Q)rm -f $@ && ar rcs $@ $(@:.a=.o)

$(BUILD)/lib/libxentmem.so.$(ABI): $(call obj,$(LIB_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC)) frontend/lib/libxentmem.map
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -shared -Wl,-soname,libxentmem.so.$(ABI) \
	    -Wl,--version-script=frontend/lib/libxentmem.map -o $@ $(filter %.o,$^) $(XEN_LIBS)
	@ln -sf libxentmem.so.$(ABI) $(BUILD)/lib/libxentmem.so

# The command uses the library by xentmem.h, and the operator's half the control messages of
# protocol/, which the library does not export. With its archive it needs no way to find it, in
# the build tree as under any PREFIX.
$(BUILD)/bin/xentmem: $(call obj,$(TOOL_SRC) $(OPERATOR_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC)) $(BUILD)/lib/libxentmem.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(TOOL_LIBS)

# Where it finds what install-dom0 and install-stubdom have installed
PATHS_OBJ := $(call obj,frontend/tool/operator.c frontend/tool/operator_start.c)
PATHS     := -DXENTMEM_DATADIR='"$(DATADIR)"' -DXENTMEM_SYSCONFDIR='"$(SYSCONFDIR)"'
$(PATHS_OBJ): FILE_CFLAGS = $(PATHS)
$(PATHS_OBJ): $(BUILD)/paths
$(BUILD)/paths: always
	@mkdir -p $(@D)
	@echo "$(PATHS)" | cmp -s - $@ || echo "$(PATHS)" >$@
.PHONY: always

# Loaded into xl: it must need nothing but libc
$(BUILD)/lib/xentmem/same-domid.so: $(call obj,dom0/same_domid.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(filter-out -fsanitize=%,$(LINK)) -shared -o $@ $^

$(BUILD)/bin/xentmem-init: $(call obj,$(INIT_SRC)) $(BUILD)/lib/layers.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^

# ---- manual pages, the manager's image, installation ----

MAN := $(patsubst docs/%.pod,$(BUILD)/man/%,$(wildcard docs/*.[1358].pod))

$(BUILD)/man/%: docs/%.pod Makefile
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)pod2man --center xentmem --release $(VERSION) --name $(basename $*) \
	    --section $(patsubst .%,%,$(suffix $*)) --errors die $< $@

.PHONY: man
man: $(MAN)

# The manager's image fits one kernel. It is made anew when another one is asked for, or what it is
# made of has been replaced: a package of the same name may bring files that are older than the image.
STUBDOM := $(BUILD)/stubdom
STUBDOM_KERNELS = $(sort $(wildcard $(STUBDOM_SYSROOT)/boot/vmlinuz-*))
$(STUBDOM)/asked: $(BUILD)/bin/xentmemd always
	@mkdir -p $(@D)
	@{ echo '$(DATADIR) $(STUBDOM_KERNEL)'; \
	   stat -L -c '%n %s %y' $(STUBDOM_KERNELS) $$(ldd $< | grep -o '/[^ ]*'); } >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(STUBDOM)/initramfs: $(BUILD)/bin/xentmemd $(BUILD)/bin/xentmem-init stubdom/build stubdom/initramfs.sh stubdom/xentmem.cfg.in \
                      $(STUBDOM)/asked
	@BUILD=$(BUILD) stubdom/build --init $(BUILD)/bin/xentmem-init --daemon $(BUILD)/bin/xentmemd \
	    --output $(STUBDOM) --install-dir $(DATADIR) \
	    $(if $(STUBDOM_KERNEL),--kernel $(STUBDOM_KERNEL)) $(if $(STUBDOM_SYSROOT),--sysroot $(STUBDOM_SYSROOT))

.PHONY: stubdom
stubdom: $(STUBDOM)/initramfs

# What a guest needs, what dom0 needs, and the manager's image can be installed apart. All of it
# is built, also the image, for which a kernel may be missing, before any of it is installed.
.PHONY: install install-command install-guest install-dom0 install-stubdom uninstall
install: all man stubdom
	@$(MAKE) --no-print-directory install-guest install-dom0 install-stubdom

# guests and dom0 have the command, and the modules that it needs, in common
install-command: all man
	@install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MODULESLOADDIR)
	@install $(BUILD)/bin/xentmem $(DESTDIR)$(BINDIR)
	@install -m 644 $(BUILD)/man/xentmem.1 $(DESTDIR)$(MANDIR)/man1
	@install -m 644 dom0/modules-load.conf $(DESTDIR)$(MODULESLOADDIR)/xentmem.conf

install-guest: install-command
	@install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(MANDIR)/man3
	@install -m 644 $(BUILD)/lib/libxentmem.so.$(ABI) $(BUILD)/lib/libxentmem.a $(DESTDIR)$(LIBDIR)
	@ln -sf libxentmem.so.$(ABI) $(DESTDIR)$(LIBDIR)/libxentmem.so
	@sed -e 's|@PREFIX@|$(PREFIX)|g; s|@LIBDIR@|$(LIBDIR)|g; s|@INCLUDEDIR@|$(INCLUDEDIR)|g; s|@VERSION@|$(VERSION)|g' \
	    frontend/lib/xentmem.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/xentmem.pc
	@install -m 644 frontend/include/xentmem.h protocol/tmemif.h $(DESTDIR)$(INCLUDEDIR)
	@install -m 644 $(BUILD)/man/xentmem.3 $(DESTDIR)$(MANDIR)/man3
	@echo "installed: xentmem, the library and their manual, in $(DESTDIR)$(PREFIX)"

install-dom0: install-command
	@install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(DATADIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/xen \
	    $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR)
	@install $(BUILD)/bin/xentmemd $(DESTDIR)$(SBINDIR)
	@install -m 644 $(BUILD)/lib/xentmem/same-domid.so $(DESTDIR)$(DATADIR)
	@for unit in xentmemd xentmem-agent; do \
	    sed -e 's|/usr/sbin/|$(SBINDIR)/|; s|/usr/bin/|$(BINDIR)/|' dom0/$$unit.service \
	        > $(DESTDIR)$(UNITDIR)/$$unit.service || exit; \
	done
	@install -m 644 $(filter %.5,$(MAN)) $(DESTDIR)$(MANDIR)/man5
	@install -m 644 $(filter %.8,$(MAN)) $(DESTDIR)$(MANDIR)/man8
	@install -m 644 CHANGELOG.md docs/operators-guide.md $(DESTDIR)$(DOCDIR)
	@echo "installed: xentmemd, the services and their manual, in $(DESTDIR)$(PREFIX)"

install-stubdom: stubdom
	@install -d $(DESTDIR)$(DATADIR) $(DESTDIR)$(SYSCONFDIR)/xen
	@install -m 644 $(STUBDOM)/kernel $(STUBDOM)/initramfs $(DESTDIR)$(DATADIR)
	@test -e $(DESTDIR)$(SYSCONFDIR)/xen/xentmem.cfg || \
	    install -m 644 $(STUBDOM)/xentmem.cfg $(DESTDIR)$(SYSCONFDIR)/xen

# What install made; the operator's configuration and policy stay.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/xentmem $(DESTDIR)$(SBINDIR)/xentmemd \
	    $(DESTDIR)$(LIBDIR)/libxentmem.so $(DESTDIR)$(LIBDIR)/libxentmem.so.$(ABI) \
	    $(DESTDIR)$(LIBDIR)/libxentmem.a $(DESTDIR)$(LIBDIR)/pkgconfig/xentmem.pc \
	    $(DESTDIR)$(INCLUDEDIR)/xentmem.h $(DESTDIR)$(INCLUDEDIR)/tmemif.h \
	    $(DESTDIR)$(MODULESLOADDIR)/xentmem.conf \
	    $(DESTDIR)$(UNITDIR)/xentmemd.service $(DESTDIR)$(UNITDIR)/xentmem-agent.service \
	    $(DESTDIR)$(DATADIR)/kernel $(DESTDIR)$(DATADIR)/initramfs $(DESTDIR)$(DATADIR)/same-domid.so \
	    $(foreach m,$(MAN),$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/$(notdir $m)) \
	    $(DESTDIR)$(DOCDIR)/CHANGELOG.md $(DESTDIR)$(DOCDIR)/operators-guide.md
	rmdir $(DESTDIR)$(DATADIR) $(DESTDIR)$(DOCDIR) 2>/dev/null || :
	@for kept in $(DESTDIR)$(SYSCONFDIR)/xen/xentmem.cfg $(DESTDIR)/var/lib/xentmem; do \
	    test ! -e $$kept || echo "kept: $$kept"; \
	done

# ---- the testbed: the real Xen under QEMU, with this product installed in its images ----

TESTBED := $(BUILD)/testbed
KERNEL_OF_TESTBED = $(shell cat $(TESTBED)/root/kernel-version)

$(TESTBED)/root/kernel-version: tests/xen/testbed/fetch
	@BUILD=$(BUILD) tests/xen/testbed/fetch && touch $@

.PHONY: testbed-images
testbed-images: all man $(TESTBED)/root/kernel-version \
                $(BUILD)/tests/conformance/conformance_guest $(BUILD)/tests/conformance/conformance_xen \
                $(BUILD)/tests/xen/hostile $(BUILD)/tests/xen/hostile_disk $(BUILD)/tests/xen/disk_load $(BUILD)/tests/kill/guest_load \
                $(BUILD)/bench/xen_bench $(BUILD)/bench/blk_bench
	@rm -rf $(TESTBED)/stage
	@$(MAKE) --no-print-directory install-guest DESTDIR=$(TESTBED)/stage/guest
	@$(MAKE) --no-print-directory install DESTDIR=$(TESTBED)/stage/dom0 STUBDOM_KERNEL=$(KERNEL_OF_TESTBED) \
	    STUBDOM_SYSROOT=$(TESTBED)/root STUBDOM=$(TESTBED)/stubdom
	install -D $(BUILD)/tests/conformance/conformance_guest $(TESTBED)/stage/guest/usr/bin/conformance_guest
	install -D $(BUILD)/tests/conformance/conformance_xen $(TESTBED)/stage/dom0/usr/bin/conformance_xen
	install $(BUILD)/tests/xen/hostile $(BUILD)/tests/xen/hostile_disk $(BUILD)/tests/xen/disk_load $(BUILD)/tests/kill/guest_load \
	    $(BUILD)/bench/xen_bench $(BUILD)/bench/blk_bench $(TESTBED)/stage/guest/usr/bin
	@BUILD=$(BUILD) tests/xen/testbed/image guest --tree $(TESTBED)/stage/guest
	@BUILD=$(BUILD) tests/xen/testbed/image root --tree $(TESTBED)/stage/guest
	@BUILD=$(BUILD) tests/xen/testbed/image dom0 --tree $(TESTBED)/stage/dom0
	@BUILD=$(BUILD) tests/xen/testbed/image manager $(TESTBED)/stubdom/initramfs

# ---- tests ----

TEST_LIB := $(call obj,tests/lib/runner.c tests/lib/daemon_run.c tests/lib/peer.c tests/lib/history.c tests/lib/step.c)
TEST_BIN := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%) $(LONG_TESTS:%=$(BUILD)/tests/%)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(TEST_LIB) $(BUILD)/lib/layers.a $(if $(LIB_SRC),$(BUILD)/lib/frontend.a)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(DAEMON_LIBS) -lcunit

$(BUILD)/tests/unit/control_command_test: | $(BUILD)/bin/xentmemd $(BUILD)/bin/xentmem
$(BUILD)/tests/unit/control_grant_test: $(call obj,frontend/tool/operator_grant.c frontend/tool/text.c)
$(BUILD)/tests/unit/control_book_test: $(call obj,frontend/tool/operator_book.c frontend/tool/operator_book_file.c frontend/tool/operator_book_json.c \
    frontend/tool/operator_grant.c frontend/tool/text.c)
$(BUILD)/tests/unit/control_book_test: private DAEMON_LIBS += -ljson-c
$(BUILD)/tests/unit/vdev_test: $(call obj,frontend/tool/vdev.c frontend/tool/text.c)
$(BUILD)/tests/unit/frontend_text_test: $(call obj,frontend/tool/text.c)
$(addprefix $(BUILD)/tests/unit/,xen_transport_test xen_disk_test xen_grants_test): $(call obj,tests/lib/fake_platform.c tests/lib/fake_loop.c)
$(BUILD)/tests/unit/blk_turn_test $(BUILD)/tests/unit/blk_kill_test: $(call obj,tests/lib/blk_world.c)
$(BUILD)/tests/unit/keeper_test: $(call obj,stubdom/keeper.c stubdom/cmdline.c)
$(BUILD)/tests/unit/frontend_tool_test: $(call obj,frontend/tool/command.c frontend/tool/operator_signal.c)
$(BUILD)/tests/unit/frontend_tool_test: private DAEMON_LIBS += -ljson-c
$(BUILD)/tests/unit/frontend_tool_test: | $(BUILD)/bin/xentmem $(BUILD)/bin/xentmemd
$(patsubst %,$(BUILD)/tests/unit/%_test,frontend_local local_fence local_hostile local_restart local_transport): | $(BUILD)/bin/xentmemd
$(BUILD)/tests/unit/frontend_ring_test: $(call obj,tests/unit/frontend_fake.c)

# Programs in which the system may refuse whatever it may: tests/lib/fault.h
FAULT_CALLS   := malloc calloc realloc aligned_alloc free mmap munmap madvise fcntl memfd_create ftruncate fallocate fstat \
                 lseek socketpair eventfd epoll_create1 epoll_ctl socket bind listen accept4 recvmsg sendmsg pthread_create
FAULT_LDFLAGS := $(FAULT_CALLS:%=-Wl,--wrap=%)
FAULT_TESTS   := unit/engine_fault_test unit/session_fault_test unit/xen_disk_test model/engine_model
$(FAULT_TESTS:%=$(BUILD)/tests/%): $(call obj,tests/lib/fault.c)
$(FAULT_TESTS:%=$(BUILD)/tests/%): OUR_LDFLAGS += $(FAULT_LDFLAGS)

$(BUILD)/tests/kill/daemon_kill $(BUILD)/tests/kill/guest_load: $(call obj,tests/kill/run.c tests/kill/load.c tests/conformance/operator.c) \
                                 | $(BUILD)/bin/xentmemd

# The conformance suite: one set of rules, several programs that run it
CONFORMANCE_SRC := $(addprefix tests/conformance/,harness.c guest.c rules_pages.c rules_limits.c \
                     rules_shared.c engine_harness.c lib_port.c operator.c)

$(BUILD)/tests/conformance/%: $(BUILD)/obj/tests/conformance/%.o $(call obj,$(CONFORMANCE_SRC)) \
                              $(BUILD)/lib/layers.a $(BUILD)/lib/libxentmem.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(DAEMON_LIBS)

# A guest that breaks the rules: tests/xen/suites/hostile.sh
HOSTILE := $(BUILD)/tests/xen/hostile $(BUILD)/tests/xen/hostile_disk
$(BUILD)/tests/xen/hostile: $(call obj,tests/xen/hostile/front.c tests/xen/hostile/hostile.c)
$(BUILD)/tests/xen/hostile_disk: $(call obj,tests/xen/hostile/disk_front.c tests/xen/hostile/hostile_disk.c)
$(HOSTILE): $(call obj,tests/xen/hostile/handshake.c tests/xen/hostile/items.c tests/xen/hostile/page.c \
            tests/xen/hostile/spoil.c $(PROTOCOL_SRC) $(SCHEMA_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(XEN_LIBS)

# What a guest does with a disk: tests/xen/suites/disks.sh
$(BUILD)/tests/xen/disk_load: $(call obj,tests/xen/disk_load.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^

.PHONY: tests
tests: $(TEST_BIN) $(if $(DAEMON_MAIN),$(BUILD)/bin/xentmemd)

# ---- checks ----
#
# One runner counts everything, so that there is one closing line: tests/run.

TEST_LOGS    ?= $(BUILD)/test-logs
FUZZ_SECONDS ?= 45
empty :=
space := $(empty) $(empty)
commas = $(subst $(space),$(comma),$(strip $(1)))

LAYER_ITEMS = $(if $(PROTOCOL_SRC),protocol=$(call commas,$(call obj,$(PROTOCOL_SRC)))) \
              $(if $(SCHEMA_SRC),schema=$(call commas,$(call obj,$(SCHEMA_SRC)))) \
              $(if $(ENGINE_SRC),engine=$(call commas,$(call obj,$(ENGINE_SRC)))) \
              blk=$(call commas,$(call obj,$(BLK_SRC))) \
              store=$(call commas,$(call obj,$(filter daemon/store/%,$(PURE_SRC))))

.PHONY: check-headers check-layers check-style
check-headers:
	tests/check-headers
check-layers: $(call obj,$(PURE_SRC))
	tests/check-layers $(LAYER_ITEMS)
check-style:
	tests/check-style

# The programs as items of tests/run, from a build directory, named by what was built there
items = $(foreach t,$(UNIT_TESTS),'$(2)unit/$(t)=BUILD=$(1) $(1)/tests/unit/$(t)') \
        $(foreach t,$(LONG_TESTS),'$(2)$(t)=BUILD=$(1) $(1)/tests/$(t)')

# The limits are there for what hangs: a busy machine takes four times as long as a quiet one.
NATIVE_ITEMS = -t 300 selftest/runner=tests/selftest/runner_test \
    selftest/checks=tests/selftest/checks_test \
    'check/install=BUILD=$(BUILD) tests/check-install' check/initramfs=tests/check-initramfs 'check/manual=BUILD=$(BUILD) tests/check-manual' \
    check/headers=tests/check-headers \
    'check/layers=tests/check-layers $(LAYER_ITEMS)' \
    $(foreach t,format tidy cppcheck text,'check/$(t)=tests/check-style $(t)') \
    $(call items,$(BUILD)) 'check/bench=BUILD=$(BUILD) tests/check-bench' \
    $(call items,$(BUILD)/san-address,address/) $(call items,$(BUILD)/san-thread,thread/) \
    -t $(shell expr 60 + $(words $(FUZZERS)) \* $(FUZZ_SECONDS)) \
    'fuzz=tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZERS)'

# tests/xen/suites/NAME.sh each, on the real hypervisor. The limits are for an emulated
# machine that shares its processors.
XEN_SUITES := testbed_smoke quickstart operator attach library hostile conformance_xen disks cache manager_death \
    kills roots swap fio
xen_items = -t 1560 $(foreach s,$(1),\
    xen/$(s)='tests/xen/testbed/boot --timeout 1500 tests/xen/suites/$(s).sh')
# ... and with the manager and the guests in PVH, as shipped
pvh_items = -t 4860 $(foreach s,$(1),\
    pvh/$(s)='tests/xen/testbed/boot --timeout 4800 --log $(TESTBED)/pvh-$(s).log --machine-type pvh tests/xen/suites/$(s).sh')

# Everything that the checks run, so that building is not timed as testing
.PHONY: check-build
check-build: all tests fuzz benches $(call obj,$(PURE_SRC))
	$(MAKE) BUILD=$(BUILD)/san-address SAN=address,undefined CC=$(CLANG) all tests
	$(MAKE) BUILD=$(BUILD)/san-thread SAN=thread CC=$(CLANG) all tests

RUN_TESTS = BUILD=$(BUILD) TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp tests/run -l $(TEST_LOGS) -a 'tests/conformance/table $(TEST_LOGS)'

.PHONY: check check-native check-xen
check-native: check-build
	$(RUN_TESTS) $(NATIVE_ITEMS)
check: check-build testbed-images
	$(RUN_TESTS) $(NATIVE_ITEMS) $(call xen_items,$(XEN_SUITES))
check-xen: testbed-images
	$(RUN_TESTS) $(call xen_items,$(XEN_SUITES))

.PHONY: check-xen-pvh testbed-emulator
testbed-emulator:
	BUILD=$(BUILD) tests/xen/testbed/emulator
check-xen-pvh: testbed-images testbed-emulator
	BUILD=$(BUILD) tests/run -l $(TEST_LOGS)-pvh $(call pvh_items,$(XEN_SUITES))

# What is random, for longer. A failure prints the seed that begins it again: SEED=.
LONG_KILLS      ?= 10000
LONG_OPERATIONS ?= 200000000
LONG_DISK_OPERATIONS ?= 50000000
SEED            ?=
LONG_ITEMS = -t 3600 \
    'kill/daemon_kill=$(BUILD)/tests/kill/daemon_kill $(LONG_KILLS) $(SEED)' \
    'kill/disk_kills=$(BUILD)/tests/kill/disk_kills $(LONG_KILLS) $(SEED)' \
    'model/disk_model=$(BUILD)/tests/model/disk_model $(LONG_DISK_OPERATIONS) $(SEED)' \
    'model/engine_model=$(BUILD)/tests/model/engine_model $(LONG_OPERATIONS) $(SEED)'

# Guests with disks, by their type and their kernel; dom0 and the manager have 6.1 in any case.
GUESTS       ?= pv-6.1 pvh-6.1 pv-6.12 pvh-6.12
GUEST_SUITES ?= disks roots swap fio
GUEST_KILLS  ?= 50
guest_item    = xen/$(1)-$(2)='tests/xen/testbed/boot --timeout 7200 --log $(TESTBED)/$(1)-$(2).log \
    --guest-type $(firstword $(subst -, ,$(2))) $(if $(filter %-6.12,$(2)),--guest-kernel 6.12) \
    tests/xen/suites/$(1).sh $(if $(filter swap fio,$(1)),$(GUEST_KILLS))'
GUEST_ITEMS   = -t 7260 $(foreach s,$(GUEST_SUITES),$(foreach g,$(GUESTS),$(call guest_item,$(s),$(g))))

$(TESTBED)/kernel-6.12/kernel-version: tests/xen/testbed/fetch
	@BUILD=$(BUILD) tests/xen/testbed/fetch 6.12 && touch $@

.PHONY: testbed-images-6.12
testbed-images-6.12: testbed-images $(TESTBED)/kernel-6.12/kernel-version
	@BUILD=$(BUILD) tests/xen/testbed/image guest --kernel 6.12 --tree $(TESTBED)/stage/guest

.PHONY: check-long check-long-xen
check-long: all tests testbed-images-6.12
	BUILD=$(BUILD) tests/run -l $(TEST_LOGS)-long $(LONG_ITEMS) $(GUEST_ITEMS)
check-long-xen: testbed-images-6.12
	BUILD=$(BUILD) tests/run -l $(TEST_LOGS)-long $(GUEST_ITEMS)

# Fuzz targets are built whole by clang, with the sanitizers, in a place of their own.
FUZZ_FLAGS := -std=c11 -g -O1 -pthread -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_HEADERS := $(wildcard $(addsuffix /*.h,protocol xenstore-schema daemon daemon/* daemon/*/* tests/fuzz) xenstore-schema/*.def)
$(BUILD)/fuzz/%: tests/fuzz/%.c $(LAYERS_SRC) $(FUZZ_HEADERS) Makefile
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CLANG) $(OUR_CPPFLAGS) $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $< $(LAYERS_SRC) $(DAEMON_LIBS)

.PHONY: fuzz
fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)

# ---- benchmarks ----
#
# They print `NAME MEDIAN LOW HIGH` for each figure: docs/PERFORMANCE.md.

BENCH_SRC        := tests/bench/bed.c tests/bench/figures.c
ENGINE_BENCH_SRC := tests/bench/engine_bench.c tests/bench/cost.c tests/bench/scaling.c \
                    tests/bench/footprint.c tests/bench/wait.c
POLICY_SRC       := tests/bench/policies/lru.c tests/bench/policies/clock.c \
                    tests/bench/policies/sieve.c tests/bench/policies/s3fifo.c
EVICT_SRC        := tests/bench/evict.c tests/bench/behind.c tests/bench/trace.c tests/bench/policies/ours.c $(POLICY_SRC)
GENERATE_SRC     := tests/bench/traces/generate.c
DISK_BENCH_SRC   := tests/bench/disk_bench.c tests/bench/footprint.c
BENCHES          := engine_bench disk_bench evict generate
# starts the daemon as tests do, from the place where it is built
LOCAL_BENCH      := $(BUILD)/tests/bench/local_bench

BENCH_MIB    ?= 4096
BENCH_ROUNDS ?= 5

$(BUILD)/bench/engine_bench: $(call obj,$(ENGINE_BENCH_SRC))
$(BUILD)/bench/disk_bench: $(call obj,$(DISK_BENCH_SRC))
$(BUILD)/bench/evict: $(call obj,$(EVICT_SRC))
$(BUILD)/bench/generate: $(call obj,$(GENERATE_SRC))
$(LOCAL_BENCH): $(call obj,tests/bench/client.c tests/bench/memcached.c tests/bench/figures.c) | $(BUILD)/bin/xentmemd
$(BENCHES:%=$(BUILD)/bench/%): $(call obj,$(BENCH_SRC)) $(BUILD)/lib/layers.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(BUILD)/lib/layers.a $(DAEMON_LIBS) -lm
$(BUILD)/tests/unit/policy_test: $(call obj,$(POLICY_SRC) tests/bench/trace.c)

# Built with the tests, too, so that they do not rot
.PHONY: benches
benches: $(BENCHES:%=$(BUILD)/bench/%) $(LOCAL_BENCH)

.PHONY: bench
bench: benches
	$(BUILD)/bench/engine_bench --mib $(BENCH_MIB) --rounds $(BENCH_ROUNDS) > $(BUILD)/bench/engine.figures
	$(BUILD)/bench/disk_bench --mib $(BENCH_MIB) > $(BUILD)/bench/disk.figures
	$(LOCAL_BENCH) --rounds $(BENCH_ROUNDS) > $(BUILD)/bench/local.figures
	tests/bench/report $(BUILD)/bench.json $(BUILD)/bench/engine.figures $(BUILD)/bench/disk.figures \
	    $(BUILD)/bench/local.figures

# On the real hypervisor: a boot of the testbed with guests of the type that the machine runs well,
# and one with guests in PVH, which is the same where it virtualises. A console ends lines with CR.
# $(1) name, $(2) sed's command for a figure's name, $(3) options of boot
define XEN_BENCH
	tests/xen/testbed/boot --timeout 3600 --log $(BUILD)/bench/$(1).log $(3) tests/bench/xen.sh $(BENCH_ROUNDS)
	sed '/@@ note figure /!d; s/.*@@ note figure //; s/\r$$//; $(2)' $(BUILD)/bench/$(1).log > $(BUILD)/bench/$(1).figures
	tests/bench/report $(BUILD)/bench-$(1).json $(BUILD)/bench/$(1).figures
endef

XEN_BENCH_PVH = $(call XEN_BENCH,xen-pvh,s/_/_pvh_/,--guest-type pvh)

.PHONY: bench-xen bench-xen-pvh
bench-xen: testbed-images
	$(call XEN_BENCH,xen)
	$(XEN_BENCH_PVH)
bench-xen-pvh: testbed-images
	$(XEN_BENCH_PVH)

$(BUILD)/bench/xen_bench: $(call obj,tests/bench/xen_bench.c tests/bench/client.c tests/bench/vchan.c $(BENCH_SRC)) \
                          $(BUILD)/lib/layers.a $(BUILD)/lib/libxentmem.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(DAEMON_LIBS) -lxenvchan -lm

$(BUILD)/bench/blk_bench: $(call obj,tests/bench/blk_bench.c $(BENCH_SRC)) $(BUILD)/lib/layers.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(DAEMON_LIBS) -lm

# Hit ratios of block traces: made ones, captured ones, and those of TRACES=dir, *.csv.
MADE_TRACES := $(patsubst %,$(BUILD)/bench/traces/%.csv,zipf scan loop shift)
TRACES      ?=

$(MADE_TRACES): $(BUILD)/bench/traces/%.csv: $(BUILD)/bench/generate
	@mkdir -p $(@D)
	$(BUILD)/bench/generate $* 1 > $@.new && mv $@.new $@

# ... and what guests on Xen asked of their disks: tests/bench/traces/capture
CAPTURED_TRACES := $(patsubst tests/data/traces/%.csv.xz,$(BUILD)/bench/traces/%.csv,$(wildcard tests/data/traces/*.csv.xz))

$(CAPTURED_TRACES): $(BUILD)/bench/traces/%.csv: tests/data/traces/%.csv.xz
	@mkdir -p $(@D)
	xz -dc $< > $@.new && mv $@.new $@

.PHONY: bench-evict
bench-evict: $(BUILD)/bench/evict $(MADE_TRACES) $(CAPTURED_TRACES)
	tests/bench/evict-table $< $(MADE_TRACES) $(CAPTURED_TRACES) $(if $(TRACES),$(wildcard $(TRACES)/*.csv)) | tee $(BUILD)/bench/evict.table

# Drawn from figures of their own: hit ratios as above, and latencies of the local transport.
.PHONY: bench-plots
bench-plots: bench-evict $(LOCAL_BENCH)
	$(LOCAL_BENCH) --depths --rounds $(BENCH_ROUNDS) $(if $(filter 1,$(shell nproc)),,--apart) > $(BUILD)/bench/depths.figures
	tests/bench/plot $(BUILD)/bench/evict.table $(BUILD)/bench/depths.figures $(BUILD)/plots
	@echo "drawn in $(BUILD)/plots; those of README.md: cp $(BUILD)/plots/*.svg docs/plots/ after a run without TRACES"

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf $(BUILD)

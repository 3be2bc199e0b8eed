# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make                   the daemon, the library, the command, the manager's image
# make check             every test; needs what packages.debian names
# make check-native      those that need no Xen
# make install DESTDIR=  (and: make uninstall)
#
# BUILD=dir   where everything is built      CC=gcc|clang
# SAN=address,undefined | thread             a sanitizer build, in a BUILD of its own

VERSION := 0.1.0
ABI     := 1

CC     ?= gcc
CLANG  ?= clang
SAN    ?=
comma  := ,
BUILD  ?= build$(if $(SAN),/san-$(firstword $(subst $(comma), ,$(SAN))))

PREFIX     ?= /usr
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(LIBDIR)/xentmem
SYSCONFDIR ?= /etc
UNITDIR    ?= /lib/systemd/system

# ---- sources, by layer: a file is built only if it stands here ----

PROTOCOL_SRC := protocol/codec.c protocol/control.c
UTIL_SRC     := daemon/util/bug.c daemon/util/lock.c daemon/util/log.c daemon/util/notify.c
STORE_SRC    := daemon/store/segment.c daemon/store/super.c daemon/store/desc.c \
                daemon/store/record.c daemon/store/depot.c daemon/store/pages.c \
                daemon/store/inspect.c daemon/store/store.c daemon/store/page_hash.c \
                daemon/store/page_hash_avx2.c
ENGINE_SRC   := daemon/engine/table.c daemon/engine/slab.c daemon/engine/object_index.c \
                daemon/engine/queue.c daemon/engine/ghost.c daemon/engine/claim.c \
                daemon/engine/shard.c daemon/engine/tomb.c daemon/engine/victim.c \
                daemon/engine/reclaim.c daemon/engine/pool.c daemon/engine/pool_ops.c \
                daemon/engine/account.c daemon/engine/shared.c daemon/engine/put.c \
                daemon/engine/get.c daemon/engine/flush.c daemon/engine/recover.c \
                daemon/engine/stats.c daemon/engine/check.c daemon/engine/engine.c
SESSION_SRC  :=
TRANSPORT_LOCAL_SRC :=
TRANSPORT_XEN_SRC   :=
CONTROL_SRC  :=
DAEMON_MAIN  :=

LIB_SRC  := frontend/lib/answer.c frontend/lib/async.c frontend/lib/attach_local.c \
            frontend/lib/attach_xen.c frontend/lib/batch.c frontend/lib/beat.c \
            frontend/lib/handle.c frontend/lib/log.c frontend/lib/open.c frontend/lib/page.c \
            frontend/lib/pool.c frontend/lib/reconnect.c frontend/lib/request.c \
            frontend/lib/ring.c frontend/lib/room.c frontend/lib/status.c frontend/lib/where.c
TOOL_SRC :=
INIT_SRC :=

# tests/unit/NAME.c each; every one links the layers it needs from one archive
UNIT_TESTS := ring_test codec_test control_message_test log_test notify_test store_desc_test store_test store_open_test store_kill_test \
              frontend_answer_test frontend_ring_test frontend_room_test frontend_text_test frontend_where_test
UNIT_TESTS += engine_page_test
# tests/model/NAME.c, tests/conformance/NAME.c: longer native programs of the same kind
LONG_TESTS :=
# tests/fuzz/NAME.c with tests/fuzz/corpus/NAME/
FUZZERS := control_fuzz segment_fuzz

# Layers that may not reach the outside world (STYLE: one narrow door)
PURE_SRC := $(PROTOCOL_SRC) $(ENGINE_SRC) $(SCHEMA_SRC) \
            daemon/store/super.c daemon/store/desc.c daemon/store/record.c \
            daemon/store/page_hash.c daemon/store/page_hash_avx2.c

# ---- flags ----

WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
        -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Werror
OPT  ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE -DXENTMEM_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 $(OPT) $(WARN) -fno-common -fstack-protector-strong -pthread
LDFLAGS  += -pthread
ifneq ($(SAN),)
CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
# gcc's thread sanitizer does not know fences and says so; ours order notifications, not data
CFLAGS  += $(if $(filter thread,$(SAN)),$(if $(findstring clang,$(CC)),,-Wno-tsan))
endif

XEN_LIBS    := -lxengnttab -lxenevtchn -lxenstore
DAEMON_LIBS := $(XEN_LIBS) -levent_core
TOOL_LIBS   := $(XEN_LIBS) -ljson-c

LAYERS_SRC := $(PROTOCOL_SRC) $(UTIL_SRC) $(STORE_SRC) $(ENGINE_SRC) $(SCHEMA_SRC) $(SESSION_SRC) \
              $(TRANSPORT_LOCAL_SRC) $(TRANSPORT_XEN_SRC) $(CONTROL_SRC)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# ---- what is built ----

.PHONY: all
all: $(if $(DAEMON_MAIN),$(BUILD)/bin/xentmemd) \
     $(if $(LIB_SRC),$(BUILD)/lib/libxentmem.so.$(ABI) $(BUILD)/lib/libxentmem.a) \
     $(if $(TOOL_SRC),$(BUILD)/bin/xentmem) \
     $(if $(INIT_SRC),$(BUILD)/bin/xentmem-init)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -MMD -MP -c $< -o $@

$(BUILD)/lib/layers.a: $(call obj,$(LAYERS_SRC))
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/bin/xentmemd: $(call obj,$(DAEMON_MAIN)) $(BUILD)/lib/layers.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/lib/libxentmem.a: $(call obj,$(LIB_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC))
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/lib/libxentmem.so.$(ABI): $(call obj,$(LIB_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC)) frontend/lib/libxentmem.map
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -shared -Wl,-soname,libxentmem.so.$(ABI) \
	    -Wl,--version-script=frontend/lib/libxentmem.map -o $@ $(filter %.o,$^) $(XEN_LIBS)
	ln -sf libxentmem.so.$(ABI) $(BUILD)/lib/libxentmem.so

# The command uses the library as any other program would, and the operator's
# half the control messages of protocol/.
$(BUILD)/bin/xentmem: $(call obj,$(TOOL_SRC) $(PROTOCOL_SRC) $(SCHEMA_SRC)) $(BUILD)/lib/libxentmem.so.$(ABI)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD)/lib -lxentmem $(TOOL_LIBS)

$(BUILD)/bin/xentmem-init: $(call obj,$(INIT_SRC)) $(BUILD)/lib/layers.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

# ---- tests ----

TEST_LIB := $(call obj,tests/lib/runner.c)
TEST_BIN := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%) $(LONG_TESTS:%=$(BUILD)/tests/%)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(TEST_LIB) $(BUILD)/lib/layers.a $(if $(LIB_SRC),$(BUILD)/lib/libxentmem.a)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS) -lcunit

$(BUILD)/tests/unit/frontend_text_test: $(call obj,frontend/tool/text.c)
$(BUILD)/tests/unit/frontend_ring_test: $(call obj,tests/unit/frontend_fake.c)

.PHONY: tests
tests: $(TEST_BIN)

# Fuzz targets are built whole by clang, with the sanitizers, in a place of their own.
FUZZ_FLAGS := -std=c11 -g -O1 -pthread -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
$(BUILD)/fuzz/%: tests/fuzz/%.c $(LAYERS_SRC) $(wildcard protocol/*.h daemon/*/*.h) Makefile
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $< $(LAYERS_SRC) $(DAEMON_LIBS)

.PHONY: fuzz
fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf $(BUILD)

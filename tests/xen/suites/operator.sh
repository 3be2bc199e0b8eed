# SPDX-License-Identifier: LGPL-2.1-or-later
# operator: the operator's commands in dom0, against the manager in its domain.
. /testbed/lib.sh

pool=11112222-3333-4444-5555-666677778888

node() { xenstore-read "$1" 2>/dev/null; }
# Nothing of xentmem's below a domain's home: NAME of the domain, DOMID of the guest
no_nodes() {
    ! xenstore-list "/local/domain/$(domid "$1")/backend/tmem/$2" >/dev/null 2>&1 &&
        ! xenstore-list "/local/domain/$(domid "$1")/xentmem/guest/$2" >/dev/null 2>&1 &&
        ! xenstore-list "/local/domain/$2/device/tmem/0" >/dev/null 2>&1
}
state_is() { [ "$(node "/local/domain/$1/backend/tmem/$2/0/state")" = "$3" ]; }
# A domid's right to the pool, at the manager
right_of() { node "/local/domain/$m/xentmem/shared/$pool/allow/$1"; }
uuid_of() { node "/local/domain/$(domid "$1")/vm" | sed 's|/vm/||'; }

step "without a manager"
guest_create a || exit
guest_create b || exit
guest_ready a && guest_ready b || exit
at dom0 "xentmem attach a"
is "attach says that there is no manager" [ $rc -eq 5 ]
is "and how to start it" says "xentmem start"
at dom0 "xentmem list"
is "so does list" [ $rc -eq 5 ]
at dom0 "xentmem set $pool quota=1M"
is "policy of a pool is kept" [ $rc -eq 0 ]
is "and it is said that it is in the file alone" says "in the policy file alone: no manager is running"
at dom0 "xentmem remove $pool"
is "it is removed, and nobody says that the pool is" [ $rc -eq 5 ]

step "a manager that does not answer"
guest_create silent || exit
at dom0 "xentmem attach a --manager silent --timeout 2"
is "attach gives up in time" [ $rc -eq 5 ]
is "it names what is missing" says "no daemon has announced itself in silent"
is "its nodes are gone" no_nodes silent "$(domid a)"
at dom0 "xentmem attach silent --manager silent"
is "a manager is not its own guest" [ $rc -eq 4 ]
guest_destroy silent

step "wrong names"
at dom0 "xentmem attach nobody"
is "a name that no domain has" [ $rc -eq 4 ]
at dom0 "xentmem attach 4711"
is "a domid that no domain has" [ $rc -eq 4 ]
xenstore-write /local/domain/4711/name unknown # a domain that is being built, or one without xl
at dom0 "xentmem set unknown quota=1M"
is "a domain without a UUID is not taken for dom0" [ $rc -eq 4 ]
is "it is said what is missing" says "unknown (domain 4711) has no UUID"
xenstore-rm /local/domain/4711
at dom0 "xentmem attach"
is "no name at all" [ $rc -eq 1 ]
at dom0 "xentmem attach a --quota 5X"
is "a size that is none" [ $rc -eq 1 ]

step "the manager"
manager_config /run/xentmem.cfg 256
xl create -q /run/xentmem.cfg || exit
check "it announces itself" wait_for 120 manager_is_ready || exit
m=$(domid xentmem)

step "a policy file that cannot be written"
a=$(domid a)
book=/var/lib/xentmem/policy.json
mkdir -p $book.new # which is written beside it
at dom0 "xentmem attach a --quota 1M"
is "attach fails" [ $rc -eq 2 ]
is "of the file" says "$book: cannot be written"
is "and leaves no nodes" no_nodes xentmem "$a"
rmdir $book.new

step "a policy file that is full"
{
    echo '{ "version": 1, "shared": [], "guests": ['
    comma=
    for i in $(seq 4096); do
        printf '%s{ "uuid": "00000000-0000-4000-8000-%012d", "name": "g%d", "device": 0, "manager": "", "attach": true, ' "$comma" "$i" "$i"
        echo '"quota_pages": 0, "min_pages": 0, "max_pages": null, "weight": 256 }'
        comma=,
    done
    echo '] }'
} >$book
at dom0 "xentmem attach b"
is "takes nobody more" [ $rc -eq 2 ]
is "and it is said how to make room" says "xentmem forget GUEST"
at dom0 "xentmem forget 00000000-0000-4000-8000-000000000007"
is "a guest is forgotten by its UUID" [ $rc -eq 0 ]
at dom0 "xentmem forget g8"
is "another one by its name" [ $rc -eq 0 ]
is "no more than that is gone" [ "$(grep -c '"uuid"' $book)" -eq 4094 ]
at dom0 "xentmem forget g8"
is "nobody is forgotten twice" [ $rc -eq 4 ]
at dom0 "xentmem attach b"
is "there is room" [ $rc -eq 0 ]
at dom0 "xentmem forget b"
is "a guest that is attached is not forgotten" [ $rc -eq 4 ]
is "it is said what to do first" says "xentmem detach b -d 0 first"
# what a daemon in dom0 has left that may run again
left=/local/domain/0/xentmem/guest/$(domid b)
uuid_of_b=$(node "/local/domain/$(domid b)/vm" | sed 's|/vm/||')
xenstore-write "$left/0/uuid" "$uuid_of_b"
at dom0 "xentmem detach b --manager Domain-0"
is "nor is it detached from its manager by the name of another that had it" [ $rc -eq 4 ]
is "its frontend is there" [ -n "$(node "/local/domain/$(domid b)/device/tmem/0/state")" ]
xenstore-rm /local/domain/0/xentmem
at dom0 "xentmem detach b"
xenstore-write "$left/3/uuid" "$uuid_of_b"
at dom0 "xentmem forget b"
is "nor is one of whom a manager has policy" [ $rc -eq 4 ]
is "which attachment that is is said" says "xentmem detach b -d 3 first"
xenstore-rm /local/domain/0/xentmem
at dom0 "xentmem forget b"
is "detached, it is" [ $rc -eq 0 ]
xl rename b g9
at dom0 "xentmem forget g9"
is "one that the file has nothing of is not forgotten in place of another of its name" [ $rc -eq 4 ]
is "whose UUID is said" says "xentmem forget 00000000-0000-4000-8000-000000000009"
xl rename g9 b
at dom0 "xentmem list; xentmem forget Domain-0"
is "dom0's own attachment is none that is to be detached" says "has nothing of Domain-0"
rm $book

step "attach"
at dom0 "xentmem attach a --quota 1M --weight 300"
is "a is attached" [ $rc -eq 0 ]
is "the backend waits for it" state_is "$m" "$a" 2
is "the quota is in a node of dom0" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/quota-pages")" = 256 ]
at dom0 "xenstore-ls -p \"/local/domain/$m/xentmem/guest/$a\""
is "which the manager may read and the guest may not" says "(n0,r$m)"
at dom0 "xentmem attach a --weight 400"
is "attaching again changes the policy" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/weight")" = 400 ]
is "and keeps the rest" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/quota-pages")" = 256 ]
mkdir $book.new
at dom0 "xentmem attach a --quota 8M"
is "but not if the file cannot be written" [ $rc -eq 2 ]
is "nor is the quota changed" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/quota-pages")" = 256 ]
rmdir $book.new
at dom0 "xentmem attach b"
is "b is attached" [ $rc -eq 0 ]
b=$(domid b)
xenstore-write "/local/domain/$b/name" a # xl itself does not allow it
at dom0 "xentmem attach a"
is "two guests with one name are refused" [ $rc -eq 4 ]
is "and both domids are said" says "$a $b"
xenstore-write "/local/domain/$b/name" "$(printf 'b\374')"
at dom0 "xentmem attach $b -d 5"
is "a name that is not UTF-8 is refused" [ $rc -eq 4 ]
is "and how to mend it is said" says "xl rename $b"
xenstore-write "/local/domain/$b/name" b

step "list"
at a "xentmem pool create --persistent"
is "a makes a pool" [ $rc -eq 0 ]
at dom0 "xentmem list"
echo "$out" | sed 's/^/| /'
is "the table has both guests" [ "$(echo "$out" | grep -c -E '^(a|b) ')" -eq 2 ]
at dom0 "xentmem --json list"
is "JSON has a's quota" says '"quota_pages": 256'
at dom0 "xentmem list pools"
is "and a's pool" says persistent
at dom0 "xentmem stats --metrics"
is "metrics end as they should" [ "$(echo "$out" | tail -n 1)" = "# EOF" ]
at dom0 "xentmem stats --check"
is "every counter agrees with a full scan" [ $rc -eq 0 ]

step "set"
at a "head -c 1048576 /dev/urandom | xentmem put 0 1 0"
is "a uses its quota up" [ $rc -eq 0 ]
at a "head -c 4096 /dev/urandom | xentmem put 0 2 0"
is "one page more is refused" [ $rc -eq 4 ]
at dom0 "xentmem set a quota=2M"
is "the operator gives more" [ $rc -eq 0 ]
more() { guest_run a "head -c 4096 /dev/urandom | xentmem put 0 2 0"; }
check "and it is taken" wait_for 20 more
link=/local/domain/$a/device/tmem/0/backend
backend=$(node "$link")
xenstore-write "$link" x # as a may: the folder is its own
at dom0 "xentmem set a quota=3M"
is "nor does a escape by what it writes into its own folder" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/quota-pages")" = 768 ]
xenstore-write "$link" "$backend"
at dom0 "xentmem set a quota=2M"

step "allow and deny"
at b "xentmem pool join $pool"
is "b may not join" [ $rc -eq 4 ]
at dom0 "xentmem allow $pool b read"
is "b is allowed to read" [ $rc -eq 0 ]
at dom0 "xentmem allow $pool a"
is "a is allowed to fill" [ $rc -eq 0 ]
joins() { guest_run "$1" "xentmem pool join $pool"; }
check "a joins" wait_for 20 joins a
check "b joins" wait_for 20 joins b
at dom0 "xentmem list members $pool"
is "both are members" [ "$(echo "$out" | grep -c yes)" -eq 2 ]
at a "echo hello | xentmem put 1 name:x 0"
is "a puts" [ $rc -eq 0 ]
at b "xentmem get 0 name:x 0 | head -n 1"
is "b gets" [ "$out" = hello ]
at b "echo hello | xentmem put 0 name:x 0"
is "b may not put" [ $rc -eq 4 ]
at dom0 "xentmem deny $pool b"
denied() { guest_run b "xentmem get 0 name:x 0 /dev/null" >/dev/null; [ $? -eq 4 ]; }
check "b is denied, joined as it is" wait_for 20 denied
at dom0 "xentmem list members $pool"
is "it is listed as a member without a right" [ "$(echo "$out" | grep -c "^b .* none .* yes")" -eq 1 ]
at dom0 "xentmem allow $pool b read"
is "b has it again" [ "$(right_of "$b")" = read ]
xl rename b renamed
at dom0 "xentmem deny $pool b"
is "it is taken from b, which runs under another name," [ $rc -eq 0 ]
is "at the manager, too" [ -z "$(right_of "$b")" ]
at dom0 "xentmem attach b --weight 500"
is "it is attached already under that name" [ $rc -eq 0 ]
is "as which domain is said" says "renamed (domain $b) is attached already to xentmem"
is "and its policy is changed" [ "$(node "/local/domain/$m/xentmem/guest/$b/0/weight")" = 500 ]
xl rename renamed b
at dom0 "xentmem attach b --weight 256"
at dom0 "xentmem allow $pool b read"
xl rename xentmem elsewhere
at dom0 "xentmem deny $pool b"
is "it is taken from b at a manager that has another name now" [ -z "$(right_of "$b")" ]
xl rename elsewhere xentmem

step "freeze and thaw"
at dom0 "xentmem freeze a"
is "a is frozen" [ $rc -eq 0 ]
at a "head -c 4096 /dev/urandom | xentmem put 0 3 0"
is "its puts are refused" [ $rc -eq 4 ]
at a "xentmem get 0 1 0 /dev/null"
is "its gets are served" [ $rc -eq 0 ]
at dom0 "xentmem thaw a"
at a "head -c 4096 /dev/urandom | xentmem put 0 3 0"
is "thawed, it puts again" [ $rc -eq 0 ]
at dom0 "xentmem freeze $pool"
at a "echo hello | xentmem put 1 name:y 0"
is "a frozen pool takes nothing" [ $rc -eq 4 ]
at dom0 "XENTMEM_POLICY=/proc/no/policy.json xentmem freeze uid:1000"
is "whoever freezes a user needs a daemon in dom0, and no policy file" [ $rc -eq 5 ]
at dom0 "xentmem thaw $pool"
at dom0 "xentmem remove $pool"
is "the pool is removed" [ $rc -eq 0 ]
at a "xentmem get 1 name:x 0 /dev/null"
is "and gone for a" [ $rc -eq 4 ]

step "a daemon in dom0 that does not run"
in_dom0=/local/domain/0/xentmem/shared/$pool
xenstore-write $in_dom0/quota-pages 1
at dom0 "xentmem set $pool quota=4M"
is "policy is set" [ $rc -eq 0 ]
is "for it, too" [ "$(node $in_dom0/quota-pages)" = 1024 ]
is "and that it does not run is said" says "Domain-0: no daemon has announced itself"
at dom0 "xentmem remove $pool"
is "what is removed is not said to be gone from it" [ $rc -eq 5 ]
is "and what to do is" says "may be at Domain-0 still, with nobody who may join it: when that runs, xentmem remove $pool --manager Domain-0"
is "its policy is removed" [ -z "$(node $in_dom0/quota-pages)" ]
is "and at the manager that runs" [ -z "$(node "/local/domain/$m/xentmem/shared/$pool/quota-pages")" ]
xenstore-write "/local/domain/0/xentmem/guest/$a/3/uuid" "$(uuid_of a)" # it may be about to start again
at dom0 "xentmem attach a -d 3"
is "no guest is taken from it" [ $rc -eq 4 ]
is "and what to do first is said" says "a is attached to Domain-0; detach it first: xentmem detach a -d 3"
at dom0 "xentmem detach a -d 3"
is "which is done" [ $rc -eq 0 ]
is "with nobody there to ask" says "detached from Domain-0"
at dom0 "xentmem attach a -d 3"
is "then it can be attached" [ $rc -eq 0 ]
is "to the manager that runs" says "attached to xentmem"
at dom0 "xentmem detach a -d 3; xentmem forget a -d 3"
is "and is again as it was" [ $rc -eq 0 ]

begin_attach() { xentmem attach "$@" --manager stranger >/run/attach.log 2>&1 & attach=$!; }

step "a wrong manager, of a guest that has one"
guest_create stranger || exit
guest_create c || exit
s=$(domid stranger)
c=$(domid c)
has_its_page() { guest_run a "xentmem get 0 1 0 /dev/null" >/dev/null; }
stranger_is_bare() {
    ! xenstore-list "/local/domain/$s/xentmem" >/dev/null 2>&1 && ! xenstore-list "/local/domain/$s/backend" >/dev/null 2>&1
}
at dom0 "xentmem allow $pool a && xentmem allow $pool c"
is "a, which is attached, has its right at the manager" [ "$(right_of "$a")" = fill ]
is "c, which is not, has it in the policy file alone" [ -z "$(right_of "$c")" ]
at dom0 "xentmem attach a --manager stranger"
is "attach says that there is no daemon" [ $rc -eq 5 ]
is "in which domain" says "no daemon has announced itself in stranger"
check "what a has stored is there" has_its_page
is "the stranger has no nodes" stranger_is_bare
at dom0 "xentmem list --manager stranger"
is "list finds no daemon there" [ $rc -eq 5 ]
is "and leaves no nodes" stranger_is_bare
# a domain may write anything below its own data/
xenstore-write "/local/domain/$s/data/xentmem/ready" 1
mkfifo /run/image
xentmem base import slow - </run/image >/run/import.log 2>&1 &
import=$!
exec 3>/run/image
head -c 1048576 /dev/urandom >&3
xentmem list --manager stranger >/run/list.log 2>&1 3>&- & # its attachment is made where the import's is
sleep 2
head -c 1048576 /dev/urandom >&3
exec 3>&-
wait $import
rc=$?
out=$(cat /run/import.log)
is "an import goes on while a command asks another manager" [ $rc -eq 0 ]
wait $!
rc=$? out=$(cat /run/list.log)
is "which waits, and has its answer then" [ $rc -eq 5 ]
at dom0 "xentmem base rm slow"
is "and is the manager's that it was for" [ $rc -eq 0 ]
is "a manager that does not answer keeps no nodes" stranger_is_bare
at dom0 "xentmem attach a --manager stranger"
is "a guest that another manager has is refused" [ $rc -eq 4 ]
is "and what to do first is said" says "a is attached to xentmem; detach it first: xentmem detach a"
at dom0 "xentmem detach a --manager stranger"
is "nor is it detached from one that it is not attached to" [ $rc -eq 4 ]
at dom0 "xentmem set a quota=3M --manager stranger"
is "or given memory there" [ $rc -eq 4 ]
at dom0 "xentmem set a quota=3M --manager nosuch"
is "set names a manager that there is not" [ $rc -eq 5 ]
is "and changes nothing" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/quota-pages")" = 512 ]
at dom0 "xentmem detach a --manager nosuch"
is "so does detach" [ $rc -eq 5 ]
is "and leaves a its attachment" [ -n "$(node "/local/domain/$m/backend/tmem/$a/0/state")" ]
at dom0 "xentmem deny $pool a --manager stranger"
is "a right is not taken at a manager that the guest does not have" [ $rc -eq 4 ]
is "and stays where it is" [ "$(right_of "$a")" = fill ]
at dom0 "xentmem deny $pool a && xentmem allow $pool a read"
is "where it has one it is changed" [ "$(right_of "$a")" = read ]
check "what a has stored is there, after all this" has_its_page
xl rename xentmem first && xl rename stranger xentmem
at dom0 "xentmem deny $pool a"
xl rename xentmem stranger && xl rename first xentmem
is "a right is taken where it is, whatever has the manager's name now" [ $rc -eq 0 ]
is "and gone there" [ -z "$(right_of "$a")" ]
at dom0 "xentmem allow $pool a read"
xl rename xentmem first && xl rename stranger xentmem
at dom0 "xentmem set a --manager first weight=300"
rc_set=$rc
at dom0 "xentmem set a --manager xentmem weight=400"
rc_other=$rc
at dom0 "xentmem freeze a"
rc_freeze=$rc
at a "head -c 4096 /dev/urandom | xentmem put 0 3 0"
rc_frozen=$rc
at dom0 "xentmem thaw a"
rc_thaw=$rc
xl rename xentmem stranger && xl rename first xentmem
is "--manager names the one that has the guest, whatever its name was" [ $rc_set -eq 0 ]
is "and not the one that has the name now" [ $rc_other -eq 4 ]
is "whose word it is" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/weight")" = 300 ]
is "without --manager freeze asks the one that has the guest" [ $rc_freeze -eq 0 ]
is "which refuses its puts" [ $rc_frozen -eq 4 ]
is "and so does thaw" [ $rc_thaw -eq 0 ]
at dom0 "xentmem attach c --manager stranger --timeout 2"
is "a free guest gets no answer from a stranger" [ $rc -eq 5 ]
is "all of it is taken back" stranger_is_bare
is "from the guest, too" no_nodes stranger "$c"
begin_attach c
check "an attach waits" wait_for 30 node "/local/domain/$c/device/tmem/0/state"
kill -TERM $attach
wait $attach
rc=$?
is "a signal ends it" [ $rc -eq 143 ]
is "it says so" grep -q "interrupted" /run/attach.log
is "and takes all of it back" stranger_is_bare
is "from the guest as well" no_nodes stranger "$c"
begin_attach c
check "another one waits" wait_for 30 node "/local/domain/$s/backend/tmem/$c/0/state"
xenstore-write "/local/domain/$s/backend/tmem/$c/0/error" "no room" "/local/domain/$s/backend/tmem/$c/0/state" 2
wait $attach
rc=$? out=$(cat /run/attach.log)
is "a manager that offers and says why it will not serve has refused" [ $rc -eq 4 ]
is "its reason is said" says "the manager stranger refused: no room"
is "nothing of it is left" no_nodes stranger "$c"
begin_attach c
check "a third one waits" wait_for 30 node "/local/domain/$s/backend/tmem/$c/0/state"
xenstore-rm "/local/domain/$s/backend/tmem/$c/0" # as a manager does when the guest is gone
wait $attach
rc=$? out=$(cat /run/attach.log)
is "nodes that vanish are waited for no longer" [ $rc -eq 5 ]
is "which is said" says "the nodes of the attachment to stranger have vanished"
is "nothing of that one is left" no_nodes stranger "$c"
begin_attach c
check "a fourth one waits" wait_for 30 node "/local/domain/$s/backend/tmem/$c/0/state"
xenstore-write "/local/domain/$s/backend/tmem/$c/0/state" 6 # the guest has come and gone
wait $attach
rc=$?
is "a manager that has closed has taken notice" [ $rc -eq 0 ]
at dom0 "xentmem detach c --timeout 1 && xentmem forget c -d 0"
is "c is detached, and attached to nobody in the policy file" [ $rc -eq 0 ]

step "a guest and a pool with two managers"
begin_attach a -d 1
check "a is attached to the stranger as well" wait_for 30 node "/local/domain/$s/backend/tmem/$a/1/state"
xenstore-write "/local/domain/$s/backend/tmem/$a/1/state" 2
wait $attach
rc=$?
is "which answers" [ $rc -eq 0 ]
at dom0 "xentmem freeze a"
is "a freeze is said to both, and the stranger does not answer" [ $rc -eq 5 ]
is "which is said" says "the manager stranger"
at a "head -c 4096 /dev/urandom | xentmem put 0 3 0"
is "at the other a is frozen" [ $rc -eq 4 ]
at dom0 "xentmem thaw a --manager xentmem"
is "where alone it can be thawed" [ $rc -eq 0 ]
right_there() { node "/local/domain/$s/xentmem/shared/$pool/allow/$a"; }
is "a has its right there, too" [ "$(right_there)" = read ]
at dom0 "xentmem deny $pool a --manager stranger"
is "it is not taken at one of them while the file speaks of both" [ $rc -eq 4 ]
is "which is said" says "without --manager"
is "it is at the one" [ "$(right_of "$a")" = read ]
is "and at the other" [ "$(right_there)" = read ]
at dom0 "xentmem deny $pool a"
is "without a manager it is taken" [ $rc -eq 0 ]
is "at the one" [ -z "$(right_of "$a")" ]
is "and at the other" [ -z "$(right_there)" ]
has_policy() { node "/local/domain/$1/xentmem/shared/$pool/quota-pages" >/dev/null; }
at dom0 "xentmem remove $pool --manager stranger"
is "nor is a pool removed at one of them" [ $rc -eq 4 ]
is "its policy is at the one" has_policy "$m"
is "and at the other" has_policy "$s"
at dom0 "xentmem set $pool quota=1M"
is "set is for both" [ "$(node "/local/domain/$s/xentmem/shared/$pool/quota-pages")" = 256 ]
no_policy() { ! has_policy "$1"; }
xentmem remove $pool >/run/remove.log 2>&1 &
remove=$!
check "a remove takes the policy away at the one" wait_for 30 no_policy "$m"
check "and at the other" wait_for 30 no_policy "$s"
at dom0 "xentmem set $pool quota=2M"
is "a set waits until the managers have been asked" says "waiting for another command, which has $book.lock"
wait $remove
rc=$? out=$(cat /run/remove.log)
is "the stranger does not say that the pool is gone" [ $rc -eq 5 ]
is "which is said of it" says "may be at stranger still"
is "and not of the manager" [ "$(echo "$out" | grep -c "may be at xentmem still")" -eq 0 ]
is "what was set is in force" [ "$(node "/local/domain/$m/xentmem/shared/$pool/quota-pages")" = 512 ]
xenstore-write "/local/domain/$s/xentmem/shared/$pool/quota-pages" 1
xentmem remove $pool >/run/remove.log 2>&1 &
remove=$!
check "another remove takes it away" wait_for 30 no_policy "$s"
kill -TERM $remove
wait $remove
rc=$? out=$(cat /run/remove.log)
is "a signal ends it" [ $rc -eq 143 ]
is "it says all the same where the pool may be" says "may be at stranger still"
is "the policy is removed at the manager, too" no_policy "$m"
at dom0 "xentmem detach a -d 1 --timeout 1"
is "a is detached from the stranger" [ $rc -eq 0 ]
check "what a has stored at its manager is there" has_its_page
guest_destroy stranger
at dom0 "xentmem start /run/xentmem.cfg"
is "a manager that runs is not started again" [ $rc -eq 4 ]
is "in one line" [ "$(echo "$out" | wc -l)" -eq 1 ]
is "which names it" says "the manager xentmem runs (domain $m)"
at dom0 "xentmem start /nonexist"
is "a configuration that is not there is a file that failed" [ $rc -eq 2 ]
at dom0 "xentmem set a -d 7 quota=1M"
is "an attachment that there is not is named" says "a has no attachment 7"
at dom0 "xentmem set a min=1M max=512K"
is "a min above the max is refused" [ $rc -eq 4 ]
at dom0 "xentmem set a max=1M"
at dom0 "xentmem set a min=2M"
is "and so is one above the max that is in force" [ $rc -eq 4 ]
at dom0 "xentmem set a max=unlimited"
at a "xentmem list"
is "an operator's command in a guest" [ $rc -eq 5 ]
is "says where it belongs" says "dom0"

step "a guest that dies while no agent runs"
for domid in "$c" 9999; do # left by guests that are gone
    xenstore-write "/local/domain/$m/xentmem/shared/$pool/allow/$domid" fill
done
at dom0 "xentmem attach c"
is "c is attached" [ $rc -eq 0 ]
is "it has no right of whoever had its domid before" [ -z "$(right_of "$c")" ]
is "nor is there one of a domain that is gone" [ -z "$(right_of 9999)" ]
xenstore-rm "/local/domain/$m/xentmem/shared/$pool"
at c "xentmem pool create"
at dom0 "xentmem freeze c"
is "it is frozen" [ $rc -eq 0 ]
guest_destroy c
is "its folder stays behind" xenstore-list "/local/domain/$m/backend/tmem/$c"
at dom0 "xentmem attach b"
is "the next attach, of whomever," [ $rc -eq 0 ]
is "takes its nodes away" no_nodes xentmem "$c"
is "and only its" [ -n "$(node "/local/domain/$m/backend/tmem/$a/0/state")" ]
at dom0 "xentmem attach c"
is "one that is gone cannot be attached" [ $rc -eq 4 ]
is "which is said" says "c does not run"
at dom0 "xentmem thaw c"
is "it can be thawed" [ $rc -eq 0 ]
at dom0 "xentmem thaw c"
is "once" [ $rc -eq 4 ]
at dom0 "xentmem detach c --manager nosuch"
is "it is not detached, gone as it is, from a manager that there is not" [ $rc -eq 5 ]
at dom0 "xentmem detach c --manager b"
is "or from one that it does not have" [ $rc -eq 4 ]
to_attach() { sed -n "/\"name\": \"$1\"/,/\"attach\"/s/.*\"attach\": *//p" $book; }
is "the agent is to attach it still" [ "$(to_attach c)" = true, ]
at dom0 "xentmem detach c --manager xentmem"
is "from its own it is detached" [ $rc -eq 0 ]
is "so the agent is to leave it alone" [ "$(to_attach c)" = false, ]

step "a guest of which the policy alone is left"
xenstore-rm "/local/domain/$m/backend/tmem/$b"
xenstore-rm "/local/domain/$b/device/tmem"
xenstore-watch "/local/domain/$m/backend/tmem/$b" >/run/watch.log 2>&1 &
watch=$!
check "its nodes are watched" wait_for 10 grep -q "tmem/$b" /run/watch.log
at dom0 "xentmem detach b"
is "it is detached" [ $rc -eq 0 ]
is "nothing of it is left" no_nodes xentmem "$b"
xenstore-write "/local/domain/$m/backend/tmem/$b" "" # which the watch tells of, behind all there was
check "nodes were watched all the time" wait_for 10 eval "[ \$(grep -c . /run/watch.log) -gt 1 ]"
kill $watch
is "the backend's were not written for that" [ "$(grep -c online /run/watch.log)" -eq 0 ]
xenstore-rm "/local/domain/$m/backend/tmem/$b"
at dom0 "xentmem attach b"
is "it is attached again" [ $rc -eq 0 ]

step "the agent: a guest that starts again"
xentmem agent >/run/agent.log 2>&1 &
agent=$!
uuid=$(uuid_of a)
at dom0 "xentmem freeze a"
is "a is frozen" [ $rc -eq 0 ]
guest_destroy a
check "nodes of the dead guest go" wait_for 30 no_nodes xentmem "$a"
check "no zombie is left" no_zombies 30
GUEST_CONFIG="uuid = \"$uuid\"" guest_start a || exit
a=$(domid a)
check "the same guest is attached again" wait_for 30 state_is "$m" "$a" 2
is "with its policy" [ "$(node "/local/domain/$m/xentmem/guest/$a/0/quota-pages")" = 512 ]
at a "xentmem pool create"
is "and it can use it" [ $rc -eq 0 ]
at a "echo hello | xentmem put 0 1 0"
is "but is frozen still" [ $rc -eq 4 ]
at dom0 "xentmem thaw a"
at a "echo hello | xentmem put 0 1 0"
is "until it is thawed" [ $rc -eq 0 ]

step "the agent: a manager that is made anew"
xenstore-write "/local/domain/0/xentmem/guest/$(domid b)/0/uuid" "$(uuid_of b)"
guest_destroy xentmem
xl create -q /run/xentmem.cfg || exit
check "it announces itself" wait_for 120 manager_is_ready || exit
m=$(domid xentmem)
check "a is attached to the new one" wait_for 60 state_is "$m" "$a" 2
is "and b is not, which a daemon in dom0 has that may run again" [ -z "$(node "/local/domain/$m/xentmem/guest/$(domid b)/0/uuid")" ]
xenstore-rm /local/domain/0/xentmem
check "b is attached when it has not" wait_for 60 state_is "$m" "$(domid b)" 2
at a "xentmem pool create"
is "a can use it" [ $rc -eq 0 ]

step "detach"
at dom0 "xentmem detach a"
is "a is detached" [ $rc -eq 0 ]
is "its nodes are gone" no_nodes xentmem "$a"
at a "xentmem pool create"
is "the guest finds no manager" [ $rc -eq 5 ]
b=$(domid b)
offline() { [ "$(node "/local/domain/$m/backend/tmem/$b/0/online")" = 0 ]; }
xl pause xentmem
xentmem detach b >/run/detach.log 2>&1 &
detach=$!
check "a detach of b waits for the manager" wait_for 30 offline
kill -TERM $detach
wait $detach
rc=$?
xl unpause xentmem
is "a signal ends it" [ $rc -eq 143 ]
is "and b is detached all the same" no_nodes xentmem "$b"
sleep 6
is "and the agent leaves it so" no_nodes xentmem "$a"
is "with b, too" no_nodes xentmem "$b"
at dom0 "xentmem detach a"
is "detaching again says that it is not attached" [ $rc -eq 4 ]
kill $agent
wait $agent
rc=$?
is "the agent stops cleanly" [ $rc -eq 0 ]
sed 's/^/| /' /run/agent.log

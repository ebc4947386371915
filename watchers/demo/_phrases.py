"""The words of dispatchers: clauses by situation, what fills their gaps, and another vendor's style.

A clause has at most one gap, written `{name}`. Where a list is marked as ranked, its first entries
are drawn most often (as 1/rank), so that words have the long tail that they have in real notes.
"""

from typing import Final


def _split(text: str, between: str = " ") -> tuple[str, ...]:
    """Keep lists of hundreds of words readable."""
    return tuple(text.split(between))


STATUS: Final[dict[str, tuple[str, ...]]] = {
    "steady": (
        "on schedule so far",
        "boarding on time at gate {gate}",
        "no delay expected",
        "turn going well",
        "crew and aircraft in position",
        "doors closing on schedule",
        "ready for pushback at {gate}",
        "all checks complete",
    ),
    "slight": (
        "inbound a few minutes behind",
        "short hold of {minutes} minutes",
        "boarding started a little late",
        "waiting for connecting passengers",
        "slow turn at gate {gate}",
        "minor delay expected",
    ),
    "late": (
        "inbound aircraft late by {minutes} minutes",
        "crew arriving late from {place}",
        "delay posted, about {minutes} minutes",
        "gate {gate} still occupied",
        "late arrival from {place}",
        "maintenance looking at {item}",
    ),
    "severe": (
        "rolling delay, next update in {minutes} minutes",
        "ground stop in effect",
        "long delay, passengers being rebooked",
        "aircraft swap under way",
        "crew close to duty limit",
        "waiting for part, {item} failed",
    ),
    "unknown": (
        "cancellation likely",
        "decision pending with operations",
        "no aircraft assigned yet",
        "flight under review by {person}",
        "passengers told to expect news",
    ),
}

WEATHER: Final[dict[str, tuple[str, ...]]] = {
    "clear": (
        "weather good",
        "clear skies over the field",
        "visibility unlimited",
        "calm conditions",
        "no weather concerns",
        "dry runway, light wind",
        "fine weather along the route",
    ),
    "wind": (
        "gusty crosswind on final",
        "strong wind at the field",
        "wind near limits",
        "moderate chop below ten thousand",
        "single runway because of wind",
    ),
    "breeze": (
        "steady breeze across the field",
        "some bumps after departure",
        "headwind on departure runway",
        "wind picking up",
    ),
    "wet": (
        "runway wet, braking fair",
        "precipitation at the field",
        "showers moving through",
        "wet ramp, slow ground handling",
    ),
    "soaked": (
        "heavy precipitation, ramp closed at times",
        "braking poor on taxiways",
        "deicing line about {minutes} minutes",
        "standing water reported",
    ),
    "haze": (
        "reduced visibility in mist",
        "haze over the field",
        "low ceiling, approaches spaced out",
        "visibility marginal",
    ),
    "fog": (
        "dense fog on the field",
        "visibility below minimums",
        "low visibility procedures in force",
    ),
    "silent": (
        "no weather report received",
        "weather station not reporting",
        "using old weather report",
    ),
}

# Ranked.
NOTES: Final = (
    "fuel on board as planned",
    "route to {place} confirmed",
    "routing over {fix}",
    "bags loaded and closed",
    "full cabin today",
    "release signed by {person}",
    "extra fuel for holding",
    "catering loaded at {gate}",
    "passing {fix} at cruise",
    "open seats available",
    "carrying {cargo} in the aft hold",
    "alternate filed near {place}",
    "cleaners on board",
    "crew briefed by {person}",
    "deferred item: {item}",
    "slot assigned for {place}",
    "flow program over {fix}",
    "crew change at destination",
    "wheelchair assistance requested",
    "ramp short of staff",
    "taxi time longer than usual",
    "handover to {person} at shift change",
    "weight and balance received",
    "load sheet corrected by {person}",
    "{cargo} added at last minute",
    "tug requested at gate {gate}",
    "paperwork sent to captain",
    "connecting passengers for {place}",
    "step climb requested after {fix}",
    "ferry crew riding to {place}",
    "jump seat taken by {person}",
    "captain asked for {item} check",
    "{item} replaced overnight",
    "ground power unit slow",
    "late bags from belt",
    "security sweep finished",
    "unaccompanied minor on board",
    "team travelling to {place}",
    "medical kit checked",
    "spare {item} on board",
)

GATES: Final = tuple("abcdefghjk")

# Ranked.
MINUTES: Final = _split("ten fifteen twenty thirty five forty sixty ninety twelve fifty seven eight")

# Ranked: departure fixes of the New York area.
FIXES: Final = _split(
    "merit greki baysy coate gayel white wavey dixie lanna biggy parke elliot neion haayl deezz hapie betti "
    "bayys shipp zimmz robbinsville coyle deer carmel calverton hampton delancey candor binghamton wilkes "
    "tyson"
)

# Ranked.
PERSONS: Final = _split(
    "morgan ellis novak patel rivera chen okafor walsh brandt silva kowalski haddad lindqvist tanaka murphy "
    "castillo weber nguyen osei romano fischer delgado larsen petrov abbott mendez sato dubois hansen "
    "farrell gupta moreau pereira schmidt yilmaz costa duarte ivanov jansen kaplan nakamura olsen yamada "
    "zielinski"
)

# Ranked.
ITEMS: Final = _split(
    "galley oven|reading lamp|cabin door seal|lavatory flush|seat belt sign|cargo door light|weather radar|"
    "tray table|nose tire|brake fan|bleed valve|fuel gauge|pitot heater|hydraulic pump|coffee maker|"
    "wiper blade|landing lamp|transponder|logo light|apu starter|yaw damper|flap sensor|window shade|"
    "oxygen mask|smoke detector|ice detector|standby compass|trim wheel|cockpit printer|rudder pedal|"
    "toilet pump|strobe light|avionics fan|static wick",
    "|",
)

# Ranked.
CARGOES: Final = _split(
    "mail|courier bags|fresh fish|flowers|medical samples|lobsters|auto parts|dry ice|newspapers|"
    "live animals|vaccines|film reels|orchids|engine spares|wine|ballots|horses|cheese|violins|museum crates|"
    "bees|tulips|diamonds|turbine blades|penguins",
    "|",
)

# Drawn seldom and evenly: most stand in a month's notes only a few times, some not at all.
RARE: Final = _split(
    "aurora balloon barbecue beacon birdstrike blizzard chaplain comet coyote crane drone eclipse falcon "
    "fireworks flood fox geese goose hailstone helicopter laser lightning meteor moose mosquito owl parade "
    "pelican rabbit raccoon rainbow seagulls skunk sleet smoke snake squirrel starlings sinkhole tornado "
    "turkey turtles volcano waterspout wolf zeppelin"
)

# The same notes as another vendor's system writes them.
VENDOR: Final[dict[str, str]] = dict(
    pair.split(":")
    for pair in _split(
        "passengers:pax crew:crw fuel:fob route:rte planned:pln loaded:ldd confirmed:cfmd runway:rwy "
        "weather:wx visibility:vsby gate:stand boarding:brdg delay:dly minutes:mins schedule:sked wind:wnd "
        "inbound:inbd routing:rtg bags:bgs release:rls catering:ctrg cruise:crz carrying:cryg alternate:altn "
        "destination:dstn deferred:dfrd item:mel slot:ctot flow:afp change:chg assistance:asst "
        "requested:rqstd ramp:apron taxi:txi received:rcvd sheet:sht corrected:corr tug:pushtruck "
        "paperwork:docs connecting:cnx step:stp climb:clb ferry:dhd jump:jmp replaced:rplcd late:ltx "
        "security:secu medical:medif spare:spr clear:skc good:vmc calm:lgtw conditions:cond dry:nosig "
        "light:lgt fine:cavok gusty:gst crosswind:xwnd final:fnl chop:turb breeze:brz bumps:lgtc "
        "departure:dep headwind:hdw wet:wtr braking:brkg fair:med precipitation:ra showers:shra heavy:hvy "
        "closed:clsd poor:bad reduced:rdcd mist:br haze:hz low:lo ceiling:ovc dense:dns fog:fg below:blw "
        "minimums:mnm procedures:lvp report:rpt station:stn ready:rdy pushback:pbk doors:drs waiting:wtg "
        "short:shrt hold:hldx minor:mnr arriving:arrg arrival:arr posted:pstd about:abt maintenance:mtc "
        "looking:insp rolling:rllg update:upd stop:gdp effect:eff long:lng rebooked:rbkd swap:swp close:cls "
        "duty:fdp limit:lmt cancellation:cnl likely:prbl decision:dcsn pending:pdg assigned:asgd flight:flt "
        "review:rvw concerns:issues available:avlb aft:rear filed:fld cleaners:clnrs briefed:brfd "
        "handover:hndvr"
    )
)

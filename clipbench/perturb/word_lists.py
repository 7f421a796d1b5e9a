"""Small word lists of our own for captions in English: function words, colours, numbers, places, classes.

They cover everyday captions, not the language. What they do not know counts as a noun.
"""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set; longer tables are easier to read so."""
    return frozenset(text.split())


STOP_WORDS = word_set(
    """
a an the this that these those some any each every another other others such both all either neither no
and or but nor so yet if while whilst as than because although though when where whether until since
i me my mine myself you your yours he him his himself she her hers herself it its itself we us our ours
they them their theirs themselves who whom whose which what one's someone something somebody anyone
anything everyone everything nobody nothing there here
in on at of to from by with without into onto for about through during before after between against over
under above below up down out off again further around across along near behind beside besides beneath
underneath inside outside among amongst towards toward upon within past via like per amid amidst next atop
is are was were be been being am has have had having do does did doing will would can could shall should
may might must not don't doesn't isn't aren't wasn't it's he's she's there's they're
very too just only also then now more most less least much few own same how why quite rather almost even
"""
)
"""Function words; word-class operations never take them for nouns, verbs or adjectives."""

DETERMINERS = word_set(
    "a an the this that these those some any each every another other no both all several many few "
    "his her its their my your our"
)

BASIC_COLOURS = (
    "black", "white", "red", "green", "yellow", "blue", "brown", "pink", "orange", "purple", "gray",
)  # fmt: skip
"""The eleven basic colour terms of English (Berlin & Kay 1969)."""

COLOURS = frozenset(BASIC_COLOURS) | word_set(
    "grey tan beige gold golden silver blond blonde maroon turquoise teal violet navy cream crimson scarlet "
    "lavender magenta khaki aqua cyan indigo olive burgundy"
)

COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = frozenset((*COUNTS, "one", "eleven", "twelve", "twenty", "thirty", "hundred", "dozen", "zero")) | {
    str(number) for number in range(101)
}

SPATIAL = word_set(
    """
left right leftmost rightmost above below over under beneath underneath atop top bottom upper lower behind
front beside besides next near nearby between among around across along through inside outside into onto
off up down upwards downwards upward downward toward towards away against ahead opposite middle center
centre background foreground forward forwards backward backwards amid within beyond upside alongside
"""
)
"""Words of place and direction. Not "in", "on" and "at", which mostly do not tell a place."""

ADVERBS = word_set(
    "underwater midair outdoors indoors away together alongside forward forwards backward backwards ahead apart "
    "downhill uphill home nearby overhead aside aboard ashore barefoot sideways fast hard well still already"
)
"""Adverbs without -ly; some are adjectives too, but captions use them so."""

ADJECTIVES = COLOURS | word_set(
    """
young little small large big long short tall high low old older elderly younger smaller larger wet dry hot cold
warm cool dark light bright pale colorful colourful colored coloured striped spotted plaid checkered
patterned grassy snowy rocky sandy muddy dirty dusty icy rainy sunny cloudy foggy wooded wooden metal
plastic stone brick concrete cement leather rubber furry fluffy shaggy hairy curly bald bearded haired
blurry busy crowded empty full open closed clear deep shallow steep narrow wide broad flat round square thin
thick heavy huge giant enormous tiny massive medium fat skinny slim muscular strong weak slow quick
happy sad angry excited tired sleepy hungry thirsty lone lonely alone single double several many various
different same similar asian african american german indian chinese japanese european male female adult
teenage middle-aged pregnant homeless professional military formal casual traditional modern ancient
antique vintage new ripe fresh raw cooked baked fried soft smooth rough sharp clean neat messy tidy
beautiful pretty cute ugly handsome lovely funny silly serious strange weird nice good bad great fancy
shirtless naked nude topless inflatable outdoor indoor public private urban rural upper lower
fallen frozen broken lit wild tame domestic tropical green-eyed blue-eyed red-haired shiny dull
loud quiet calm rusty stuffed loose tight hind solid floral neon denim electric martial amateur dead alive
asleep awake upright ornate rectangular circular golden-brown multi-colored multicolored
"""
)

VERBS = word_set(
    """
run play stand sit jump walk hold wear ride look climb swim carry watch chase smile pose catch throw slide
leap swing perform take try make drink fish eat dance surf splash dive skate ski lean hang wait drive fly
fall laugh read kick pull push hit fight wrestle talk chew bite kiss hug point paddle roll shake reach rest
lay lie sleep cross skateboard snowboard show sing shoot gather help dig sniff lick kneel crouch float
balance race bounce spin put give get go come do prepare practice attempt bark bathe blow bring brush build
buy call clean collect compete cook cover crawl cut display drag draw dress drop enjoy enter examine
exercise face feed fetch find flip follow fill gallop gaze glide grab graze grind hide hike hurdle jog
juggle kayak land launch lead lift listen march move open overlook paint park pass pet pick pilot pitch
place pounce pour prance pretend raise relax row rub scream see sell serve shop shout sip ski sled sled
smell smoke speak splash spray squat stare start stick stop stretch stroll strum study surround swat sweep
tackle teach touch toss tow trot try tug turn twirl type use visit wade wash wave work write yell seem
appear begin keep leave let like meet navigate peer perch pedal ponder rollerblade sail scale set share
snow snowmobile soar spread sprint step stir swallow tend travel trek tumble wander yawn stare slice
bend bow chat cheer clap clutch grip grin huddle inspect load operate pack pee peek photograph plant poke
preach protest rake remove scoop skip squeeze stack tie trim wag wakeboard wrap
"""
)
"""Base forms; third persons and participles are derived by rule."""

IRREGULAR_PASTS = word_set(
    """
ran stood sat held wore rode swam caught threw thrown swung took taken made drank drunk ate eaten flew
flown fell hung drove driven read hit fought bit bitten shook lay lain slept sang shot knelt spun put gave
given got went gone came come did done blew blown brought built bought cut drew drawn fed found hid hidden
led seen saw sold spoke stuck swept taught wrote written began begun kept let met set bent worn ridden
"""
)

NOUN_EXCEPTIONS = word_set(
    """
building buildings clothing railing ceiling wedding painting paintings evening morning something anything
nothing string king ring spring wing wings thing things rings strings sling string icing frosting
sidewalk bed sled shed seed weed reed breed family belly jelly lily fly bully rally butterfly body
lightning pudding stuffing topping parking shopping earring earrings
siding sibling siblings duckling wingspan steed feed hundred watermelon
swing swings slide slides stick sticks park parks face faces fish place places pet pets plant plants paint
ski skis sled sleds light lights snow step steps wave waves smoke kayak kayaks skateboard skateboards
snowboard snowboards hurdle hurdles land ring row rows set pack bow bows shop shops sail sails
"""
)
"""Nouns that look like verb forms, and verbs that captions mostly use as nouns."""

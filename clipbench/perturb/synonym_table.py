"""A small table of synonyms for everyday caption words, so that no download is needed.

Of our own making: near-synonyms in the sense captions use the word in. Plurals, third persons and
participles are derived by rule. WordNet knows more words and, without context, more wrong senses.
"""

from __future__ import annotations

from functools import cache

from clipbench.perturb.inflect import with_ing, with_s
from clipbench.perturb.word_lists import word_set

NOUNS = """
dog: hound canine pooch | puppy: pup | cat: kitty feline | horse: steed | bird: fowl | cow: bovine
boy: lad | girl: lass | man: guy gentleman fellow | woman: lady female | child: kid youngster
kid: child youngster | baby: infant | toddler: tot | person: individual human | guy: man fellow
lady: woman | player: athlete | crowd: throng mob | group: bunch cluster | team: squad
friend: pal buddy | spectator: onlooker viewer | onlooker: spectator viewer | couple: pair
car: automobile auto | bike: bicycle cycle | bicycle: bike cycle | motorcycle: motorbike
motorbike: motorcycle | truck: lorry | boat: vessel craft | ship: vessel | plane: airplane aircraft
airplane: plane aircraft | train: locomotive | bus: coach | street: road avenue | road: street roadway
path: trail track | trail: path track | sidewalk: pavement walkway | field: meadow pasture
grass: lawn turf | lawn: grass turf | yard: garden | beach: shore seaside | shore: coast beach
ocean: sea | sea: ocean | lake: pond lagoon | pond: pool | river: stream waterway | stream: brook creek
creek: brook stream | hill: mound slope | mountain: peak | cliff: precipice bluff | forest: woods woodland
woods: forest woodland | rock: stone boulder | stone: rock | dirt: soil earth | ground: floor
house: home dwelling | building: structure edifice | store: shop | shop: store | restaurant: diner eatery
city: town | town: city | park: garden | picture: photo image | photo: picture photograph
photograph: picture photo | camera: camcorder | coat: jacket overcoat | jacket: coat | shirt: top blouse
hat: cap | cap: hat | pants: trousers slacks | trousers: pants slacks | shoes: footwear | dress: gown
clothes: garments clothing | clothing: clothes apparel attire | outfit: costume attire | bag: sack
backpack: rucksack knapsack | purse: handbag | couch: sofa | sofa: couch | chair: seat | bench: seat
rug: carpet mat | bed: cot | desk: table | cup: mug | mug: cup | dish: plate | plate: dish | bowl: dish
food: meal | meal: dinner | drink: beverage | toy: plaything | stick: rod twig | rope: cord
fence: railing barrier | wall: partition | stairs: steps | steps: stairs | sign: placard | statue: sculpture
race: contest | game: match | match: game | trick: stunt | stunt: trick | jump: leap | leap: jump
crosswalk: crossing | television: tv telly | tv: television | phone: telephone | cellphone: mobile
laptop: computer notebook | computer: pc | refrigerator: fridge | stove: cooker oven | bathroom: restroom
toilet: lavatory | garbage: trash rubbish | trash: garbage rubbish | luggage: baggage | suitcase: case
umbrella: parasol | kite: glider | meadow: field pasture | rider: horseman | biker: cyclist
cyclist: biker bicyclist | bicyclist: cyclist biker | hiker: trekker | worker: laborer employee
officer: policeman cop | kitten: kitty | rabbit: bunny | pigeon: dove | donut: doughnut | sandwich: sub
night: nighttime | evening: dusk | background: backdrop | middle: center centre | center: middle
edge: border brink | corner: nook | area: region zone | scene: setting | audience: crowd spectators
"""

VERBS = """
run: sprint dash race | walk: stroll stride | jump: leap hop bound | leap: jump spring | play: frolic romp
look: gaze peer | watch: observe view | stare: gaze | gaze: stare look | hold: grasp grip clutch
carry: transport lug bear | throw: toss hurl fling | toss: throw fling | catch: grab snatch
chase: pursue follow | pursue: chase | follow: trail pursue | ride: pedal | climb: scale ascend
stand: wait | sit: perch rest | rest: relax lounge | relax: rest lounge | lay: lie recline | lie: recline
sleep: slumber doze nap | eat: consume munch | drink: sip | chew: gnaw munch | bite: nip gnaw
smile: grin beam | laugh: chuckle giggle | talk: chat speak converse | speak: talk | chat: talk
shout: yell scream | scream: yell shriek | bark: woof yap | swim: paddle | dive: plunge | splash: splatter
slide: glide slip | skate: glide | fly: soar | fall: tumble drop | hang: dangle | swing: sway
push: shove | pull: tug drag haul | drag: pull haul | hit: strike smack | kick: boot punt | fight: battle brawl
wrestle: grapple | hug: embrace cuddle | embrace: hug | kiss: smooch | wear: sport don | pose: model
prepare: ready | perform: execute | race: speed dash | travel: journey | move: go | cross: traverse
enter: access | gather: assemble | collect: gather | make: create build | build: construct | cook: prepare
cut: slice chop | slice: cut | fix: repair mend | repair: fix mend | clean: wash scrub | wash: clean rinse
draw: sketch | show: display | display: show exhibit | reach: stretch | lean: recline | point: gesture
wave: gesture | surround: encircle | navigate: steer | ski: glide | surf: ride | dig: burrow
sniff: smell | lick: lap | stroll: walk amble | jog: run trot | grab: seize snatch | attempt: try
try: attempt | wait: linger | examine: inspect study | inspect: examine | balance: steady
"""

OTHERS = """
big: large huge | large: big huge | huge: enormous gigantic | giant: enormous huge | enormous: huge gigantic
small: little tiny | little: small tiny | tiny: small little | tall: high | high: tall | young: youthful
old: aged elderly | elderly: old aged | older: elderly aged | happy: glad cheerful joyful | sad: unhappy
beautiful: pretty lovely | pretty: lovely attractive | cute: adorable | adorable: cute | ugly: unsightly
fast: quick speedy | quick: fast speedy | slow: sluggish | dirty: filthy grubby | clean: spotless
wet: soaked damp | soaked: drenched wet | dry: arid | rocky: stony | stony: rocky | muddy: mucky
grassy: verdant | snowy: snow-covered | wooded: forested | sandy: beachy | bright: vivid brilliant
colorful: vibrant vivid | colourful: vibrant vivid | dark: dim | empty: vacant bare | crowded: packed
busy: bustling | several: various multiple | many: numerous | wooden: timber | metal: metallic | fluffy: downy
furry: hairy | hairy: furry | shaggy: bushy | naked: nude bare | shirtless: bare-chested | alone: solo
lone: solitary single | steep: sheer | deep: profound | shallow: low | various: several assorted
quickly: rapidly swiftly | slowly: leisurely | happily: cheerfully gladly | together: jointly
outside: outdoors | outdoors: outside | inside: indoors | indoors: inside | near: by | beside: by
nearby: close | above: over | below: beneath | under: beneath underneath | beneath: under below
underneath: beneath under | behind: after | towards: toward | toward: towards | atop: on
delicious: tasty yummy | tasty: delicious | modern: contemporary | ancient: old antique | shiny: glossy
broken: damaged | smiling: grinning | blond: fair | blonde: fair | gray: grey | grey: gray | tan: beige
purple: violet | pink: rose | red: crimson scarlet | maroon: burgundy | golden: gold
"""


def _rows(table: str) -> dict[str, tuple[str, ...]]:
    entries = (entry.split(":") for line in table.strip().splitlines() for entry in line.split("|"))
    return {word.strip(): tuple(synonyms.split()) for word, synonyms in entries}


@cache
def _table() -> dict[str, tuple[str, ...]]:
    found = _rows(OTHERS)
    found |= _rows(NOUNS)
    for word, synonyms in _rows(VERBS).items():
        found.setdefault(word, synonyms)
        found.setdefault(with_ing(word), tuple(map(with_ing, synonyms)))
        found.setdefault(with_s(word), tuple(map(with_s, synonyms)))
    plurals = {
        with_s(word): tuple(map(with_s, (one for one in synonyms if not one.endswith("s"))))
        for word, synonyms in _rows(NOUNS).items()
        if word not in _PLURAL_OR_MASS
    }
    for word, synonyms in (plurals | _IRREGULAR).items():
        if synonyms:
            found.setdefault(word, synonyms)
    return found


_PLURAL_OR_MASS = word_set(
    "pants trousers shoes clothes clothing stairs steps woods grass dirt food garbage trash luggage man woman "
    "child person footwear ground"
)
_IRREGULAR = {
    "men": ("guys", "gentlemen", "fellows"),
    "women": ("ladies", "females"),
    "children": ("kids", "youngsters"),
    "people": ("persons", "individuals", "humans"),
}


def table_synonyms(word: str) -> tuple[str, ...]:
    """Return the one-word synonyms of a lower-case word, in its inflection; empty where unknown.

    >>> table_synonyms("puppies"), table_synonyms("throwing"), table_synonyms("zebra")
    (('pups',), ('tossing', 'hurling', 'flinging'), ())
    """
    return _table().get(word, ())

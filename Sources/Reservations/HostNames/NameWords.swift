/// What random host names are made of.
enum NameWords {
    static let adjectives = words(
        """
        able agile airy alert amber ample apt arctic autumn azure bold brave breezy bright brisk bronze calm candid
        careful cheerful civil clear clever cobalt cool coral cosmic cozy crimson crisp curious daring dapper deft
        eager early earnest easy elegant emerald fair famous fast fearless fine fleet fluent fond frank free fresh
        friendly gentle giant glad gold golden good grand great green happy hardy hearty helpful honest humble icy
        ideal indigo jade jolly jovial joyful keen kind large lasting light lively loyal lucid lucky lunar magic
        mellow merry mighty mild misty modest neat nimble noble novel olive open orange patient peaceful pearly
        plucky polar polite proud quick quiet rapid ready red rosy royal ruby sandy scarlet serene sharp silent
        silver simple sleek smart smooth snowy solar solid spry stable steady stellar still sturdy sunny swift
        teal tender tidy tranquil true trusty upbeat valiant velvet vivid warm whole wise witty young zesty
        """
    )

    static let animals = words(
        """
        albatross alpaca antelope badger bat bear beaver bee bison boar bobcat buffalo camel canary caribou cat
        cheetah cobra condor cougar coyote crab crane cricket crow deer dingo dolphin dove dragonfly duck eagle
        egret elephant elk emu falcon ferret finch firefly flamingo fox frog gazelle gecko gibbon giraffe goat
        goose gorilla gull hamster hare hawk hedgehog heron hippo horse hummingbird ibex ibis iguana impala jackal
        jaguar jay kestrel kingfisher kiwi koala lark lemming lemur leopard lion lizard llama lobster lynx macaw
        magpie manatee mantis marmot marten meerkat mole mongoose moose moth mule narwhal newt nightingale ocelot
        octopus okapi orca oriole osprey ostrich otter owl ox oyster panda panther parrot pelican penguin pheasant
        pigeon pony porcupine possum puffin puma quail rabbit raccoon raven reindeer robin salmon seal shark sheep
        shrew skunk sloth sparrow squid squirrel stork swallow swan tapir tiger toad toucan trout turtle walrus
        wasp weasel whale wolf wombat woodpecker wren yak zebra
        """
    )

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map { String($0) }
    }
}

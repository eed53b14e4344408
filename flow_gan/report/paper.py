"""The paper's own numbers: Tables 1 to 3, and what its text says of Figures 4 and 8."""

# {objective: (score, test NLL)}: MODE score and nats for MNIST, Inception score and bits/dim for CIFAR-10.
TABLE_1 = {"mle": (7.42, -3334.56), "adv": (9.24, -1604.09), "hybrid": (9.37, -3342.95)}
TABLE_2 = {"mle": (2.92, 3.54), "adv": (5.76, 8.53), "hybrid": (3.90, 4.21)}

# {objective: (exact NLL, AIS, KDE)} of MNIST, in nats, at the weights of the best MODE score.
TABLE_3 = {
    "mle": (-3287.69, -2584.40, -167.10),
    "adv": (26350.30, -2916.10, -3.03),
    "hybrid": (-3121.53, -2703.03, -205.69),
}

# {data set: {objective: mean log |det dG/dz|}}, in nats.
LOG_DETERMINANTS = {
    "mnist": {"mle": -4170.34, "adv": -15588.34, "hybrid": -5184.40},
    "cifar10": {"mle": -12818.84, "adv": -21848.09, "hybrid": -14729.51},
}
